"""What words hint at. Short lists that a person can read and change; weights are points on a scale of 0 to 100."""

from __future__ import annotations

INTENT = {
    "ready to buy": 35, "want to buy": 30, "looking to buy": 20, "ready to purchase": 35, "ready to sign": 40,
    "buy": 10, "purchase": 10, "test drive": 20, "deposit": 25, "reserve": 20, "hold it": 20, "pre-approved": 20,
    "preapproved": 20, "pay cash": 20, "cash buyer": 20, "this month": 10, "this week": 12, "this weekend": 12,
    "today": 12, "tomorrow": 12, "as soon as possible": 15, "asap": 15, "still available": 10, "available": 5,
    "best price": 12, "price": 8, "quote": 10, "out the door": 12, "financing": 10, "finance": 10, "lease": 10,
    "monthly payment": 12, "trade in": 12, "appointment": 12, "come in": 10, "stop by": 10, "visit": 8, "see it": 8,
    "call me": 10, "send me": 4, "interested": 10, "offer": 8, "just looking": -25, "just browsing": -25,
    "browsing": -10, "next year": -25, "someday": -20, "in a few months": -15, "no longer interested": -70,
    "unsubscribe": -70, "stop contacting": -70, "remove me": -60, "wrong number": -60, "already bought": -70,
    "already purchased": -70, "bought elsewhere": -70, "too expensive": -20, "changed my mind": -50, "maybe": -6,
    "not sure": -12,
}  # fmt: skip

URGENCY = {
    "urgent": 45, "urgently": 45, "asap": 40, "as soon as possible": 40, "immediately": 40, "right away": 40,
    "emergency": 55, "critical": 40, "deadline": 25, "today": 20, "tonight": 20, "now": 10, "tomorrow": 12,
    "this week": 8, "stranded": 50, "broke down": 40, "broken down": 40, "won't start": 40, "not working": 25,
    "down": 8, "outage": 45, "accident": 40, "smoke": 40, "recall": 20, "unsafe": 45, "leak": 25, "lawyer": 30,
    "legal action": 40, "unacceptable": 20, "overdue": 20, "still waiting": 20, "escalate": 25, "no rush": -35,
    "no hurry": -35, "whenever": -30, "when you get a chance": -30, "next month": -12, "next year": -25,
    "just wondering": -15, "fyi": -20,
}  # fmt: skip

SENTIMENT = {
    "great": 15, "excellent": 22, "amazing": 22, "awesome": 20, "love": 20, "loved": 20, "perfect": 20, "happy": 16,
    "pleased": 16, "satisfied": 16, "wonderful": 20, "fantastic": 22, "friendly": 14, "helpful": 14,
    "recommend": 16, "best": 12, "good": 10, "nice": 10, "thank you": 10, "thanks": 8, "appreciate": 14, "easy": 8,
    "quick": 8, "professional": 12, "bad": -15, "terrible": -25, "awful": -25, "horrible": -25, "worst": -25,
    "hate": -22, "angry": -22, "disappointed": -22, "disappointing": -22, "frustrated": -20, "frustrating": -20,
    "unacceptable": -25, "rude": -22, "poor": -16, "slow": -10, "problem": -10, "issue": -8, "broken": -14,
    "refund": -14, "complaint": -18, "waste": -18, "ridiculous": -20, "never again": -25, "overcharged": -20,
    "scam": -25, "unhappy": -20, "still waiting": -14, "worse": -16, "ignored": -18, "fail": -12,
}  # fmt: skip

# A label shares a list when one of its stems is among the names before it.
TOPICS: dict[tuple[str, ...], tuple[str, ...]] = {
    ("sale", "sales", "buying", "purchase", "lead"): (
        "buy", "purchase", "price", "quote", "test drive", "available", "in stock", "inventory", "interested in",
        "offer", "deal", "model", "ready to buy", "looking for",
    ),
    ("service", "repair", "maintenance"): (
        "repair", "service", "oil change", "brake", "tire", "maintenance", "recall", "engine light", "check engine",
        "noise", "leak", "battery", "inspection", "tune up", "warranty", "won't start", "mechanic",
    ),
    ("part", "parts", "accessory"): (
        "part", "accessory", "bumper", "filter", "wiper", "part number", "in stock", "mirror",
    ),
    ("finance", "financing", "loan", "credit"): (
        "finance", "financing", "loan", "credit", "apr", "interest rate", "lease", "monthly payment",
        "down payment", "pre-approved", "bank", "refinance",
    ),
    ("trade", "trade-in", "tradein"): ("trade in", "trade", "my old car", "my current car", "appraisal", "worth"),
    ("test", "drive", "test-drive"): ("test drive", "drive it", "try it out"),
    ("appointment", "schedule", "booking", "scheduling"): (
        "appointment", "schedule", "book", "reschedule", "available on", "come in", "what time", "slot", "calendar",
    ),
    ("support", "technical", "help", "bug"): (
        "help", "problem", "error", "issue", "log in", "login", "password", "crash", "not working", "doesn't work",
        "bug", "support", "stuck", "broken",
    ),
    ("billing", "invoice", "payment", "account"): (
        "invoice", "billing", "bill", "charged", "charge", "payment", "overcharged", "receipt", "refund",
        "subscription",
    ),
    ("refund", "return"): ("refund", "money back", "return", "reimburse"),
    ("complaint", "escalation"): (
        "complaint", "terrible", "unacceptable", "disappointed", "manager", "rude", "worst", "frustrated",
        "ridiculous", "lawyer", "never again", "angry", "awful", "horrible",
    ),
    ("question", "inquiry", "enquiry", "information"): (
        "question", "wondering", "could you tell", "can you tell", "how do", "how much", "what is", "is it",
        "do you", "when",
    ),
    ("cancel", "cancellation", "churn"): ("cancel", "cancellation", "terminate", "close my account", "stop my"),
    ("feedback", "review", "praise", "compliment"): (
        "review", "stars", "recommend", "feedback", "experience", "great", "thank you",
    ),
    ("spam", "junk", "promotion"): (
        "click here", "lottery", "winner", "crypto", "bitcoin", "seo", "backlinks", "viagra", "free money",
        "limited offer", "guaranteed", "casino", "rank higher", "guest post",
    ),
    ("interested", "yes", "accept", "approve", "approved", "confirm"): (
        "yes", "interested", "sounds good", "works for me", "confirm", "approve", "accept", "let's do it",
        "ready to", "i'd like",
    ),
    ("uninterested", "no", "decline", "reject", "rejected"): (
        "no thanks", "not interested", "no longer", "decline", "reject", "unsubscribe", "stop", "already bought",
    ),
}  # fmt: skip

SCALES = {"intent": INTENT, "urgency": URGENCY, "sentiment": SENTIMENT}
_SCALE_WORDS = {
    "sentiment": ("sentiment", "mood", "tone", "satisfaction", "csat", "nps", "happiness", "emotion"),
    "urgency": ("urgency", "urgent", "priority", "severity", "critical"),
    "intent": (
        "intent",
        "lead",
        "score",
        "buy",
        "purchase",
        "interest",
        "temperature",
        "quality",
        "likelihood",
        "hot",
        "readiness",
    ),
}

# Labels that mean a place on a scale, from 0 to 100.
LEVELS = {
    "very high": 95, "critical": 95, "urgent": 85, "high": 80, "hot": 85, "very positive": 90, "positive": 75,
    "warm": 55, "medium": 50, "moderate": 50, "normal": 40, "neutral": 50, "mixed": 50, "average": 50, "low": 15,
    "cold": 15, "very low": 5, "negative": 25, "very negative": 10, "none": 0,
}  # fmt: skip
SENTIMENT_LEVELS = frozenset({"positive", "negative", "neutral", "mixed", "very positive", "very negative"})
FALLBACKS = (
    "other",
    "unknown",
    "unclear",
    "none",
    "general",
    "neutral",
    "n/a",
    "misc",
    "miscellaneous",
    "normal",
    "low",
)


def scale_named(text: str) -> str | None:
    """The scale that a field's name or an instruction speaks of."""
    lowered = text.lower()
    return next((scale for scale, hints in _SCALE_WORDS.items() if any(hint in lowered for hint in hints)), None)
