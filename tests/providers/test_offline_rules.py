"""What the offline rules answer, word for word: they are fixed, so the expectations are too."""

from __future__ import annotations

from typing import Any

import pytest

from engine.ports import Completion, Prompt
from integrations.offline_rules.classify import classify, score
from integrations.offline_rules.summarize import summarize
from integrations.offline_rules.words import Cues, material, sentences
from integrations.providers.llm.offline import Config, OfflineRules

LEAD = (
    "Hi, this is Maria Gonzalez. Is the 2021 Toyota Camry still available? I'd like a test drive on Saturday at 10 am. "
    "My budget is $24,500 and I have a trade in. Ready to buy this month. "
    "Call me at (555) 123-4567 or maria.g@example.com. Thanks!"
)


def ask(**fields: Any) -> Completion:
    return OfflineRules(Config()).complete(Prompt(**{"key": "k", "text": LEAD} | fields), timeout=1)


def test_every_answer_is_labelled_and_free() -> None:
    usage = ask(task="summarize").usage
    assert (usage.provider, usage.model, usage.cost_usd) == ("offline", "offline-rules-1", 0.0)
    assert usage.prompt_tokens == 50
    assert usage.completion_tokens > 0


def test_the_same_prompt_gives_the_same_answer() -> None:
    first, again = ask(task="draft"), ask(task="draft")
    assert (first.text, first.data) == (again.text, again.data)


def test_car_lead_has_high_intent() -> None:
    answer = ask(
        text="Is it still available? I'd like a test drive on Saturday and have a trade-in. Ready to buy this month.",
        task="classify",
        labels=["high", "medium", "low"],
    )
    assert answer.text == "high"
    assert answer.data == {"label": "high", "confidence": 0.8}


@pytest.mark.parametrize(
    ("text", "labels", "label"),
    [
        (LEAD, ["hot", "warm", "cold"], "hot"),
        (LEAD, ["sales", "service", "finance", "other"], "sales"),
        ("Just looking around, maybe next year.", ["high", "medium", "low"], "low"),
        ("Could you send me a quote for the Civic?", ["high", "medium", "low"], "medium"),
        ("No longer interested, please unsubscribe me.", ["hot", "warm", "cold"], "cold"),
        ("I am not ready to buy, not interested anymore.", ["interested", "not_interested"], "not_interested"),
        ("My check engine light is on and the brakes make noise.", ["sales", "service", "other"], "service"),
        ("What APR could I get on a loan with bad credit?", ["sales", "finance", "service"], "finance"),
        ("I was charged twice, I want a refund.", ["billing", "support", "sales"], "billing"),
        ("I cannot log in, the app shows an error.", ["billing", "support", "sales"], "support"),
        ("The staff was rude and I am still waiting. Terrible.", ["positive", "negative", "neutral"], "negative"),
        ("Great service, friendly staff, I recommend them!", ["positive", "negative", "neutral"], "positive"),
        ("The meeting is at noon.", ["positive", "negative", "neutral"], "neutral"),
        ("The car won't start, I'm stranded, need help ASAP", ["urgent", "normal", "low"], "urgent"),
        ("No rush, whenever you get a chance.", ["urgent", "normal", "low"], "low"),
        ("Click here to win the lottery, guaranteed!", ["spam", "not spam"], "spam"),
        ("Lorem ipsum.", ["sales", "other", "service"], "other"),
        ("Lorem ipsum.", ["apples", "pears"], "apples"),
    ],
)
def test_label_follows_the_cue_words(text: str, labels: list[str], label: str) -> None:
    assert classify(text, labels).label == label


def test_nothing_to_go_by_is_no_confidence() -> None:
    assert classify("Lorem ipsum.", ["sales", "other"]).confidence == 0.0


def test_the_instruction_is_not_taken_for_the_text() -> None:
    answer = ask(
        text="Classify the sentiment of this review, is it positive or negative:\nThe food was awful.",
        task="classify",
        labels=["positive", "negative"],
    )
    assert answer.data["label"] == "negative"


def test_fields_are_found_by_name_and_type() -> None:
    answer = ask(
        task="extract",
        fields={
            "customer_name": "string",
            "first_name": "string",
            "email": "string",
            "phone": "string",
            "budget": "number",
            "vehicle": "string",
            "year": "integer",
            "make": "string",
            "model": "string",
            "preferred_date": "string",
            "time": "string",
            "has_trade_in": "boolean",
            "vin": "string",
            "company": "string",
            "wants_financing": "boolean",
        },
    )
    assert answer.data == {
        "customer_name": "Maria Gonzalez",
        "first_name": "Maria",
        "email": "maria.g@example.com",
        "phone": "(555) 123-4567",
        "budget": 24500,
        "vehicle": "2021 Toyota Camry",
        "year": 2021,
        "make": "Toyota",
        "model": "Camry",
        "preferred_date": "Saturday",
        "time": "10 am",
        "has_trade_in": True,
        "vin": None,
        "company": None,
        "wants_financing": None,
    }


@pytest.mark.parametrize(
    ("text", "field", "wanted", "value"),
    [
        ("Order total: 1,250.50 EUR", "total", "number", 1250.5),
        ("I can pay 25k at most", "budget", {"type": "number"}, None),
        ("I can pay $25k at most", "budget", {"type": "integer"}, 25000),
        ("Delivery on March 3rd, 2026 please", "delivery_date", {"type": "string", "format": "date"}, "2026-03-03"),
        ("Delivery on 3/4/2026 please", "delivery_date", "date", "3/4/2026"),
        ("VIN 1HGCM82633A004352", "vin", "string", "1HGCM82633A004352"),
        ("We need 3 seats and 12 tables.", "seats", "integer", 3),
        ("company: Acme Ltd\ncity: Bonn", "city", "string", "Bonn"),
        ("See https://example.com/a?b=1.", "website", "string", "https://example.com/a?b=1"),
        (
            "Write to a@b.example or c@d.example",
            "emails",
            {"type": "array", "items": {"type": "string"}},
            ["a@b.example", "c@d.example"],
        ),
        ("Please call me, this is urgent", "priority", {"type": "string", "enum": ["urgent", "normal"]}, "urgent"),
        ("Lorem ipsum", "priority", {"type": "string", "enum": ["urgent", "normal"]}, None),
        ("I do not have a trade in", "trade_in", "boolean", False),
        ("Kind regards,\nJohn O'Neil", "name", "string", "John O'Neil"),
        ("I'm interested in the Civic", "name", "string", None),
    ],
)
def test_one_field(text: str, field: str, wanted: Any, value: Any) -> None:
    assert ask(text=text, task="extract", fields={field: wanted}).data == {field: value}


def test_summary_is_made_of_the_texts_own_sentences() -> None:
    text = (
        "The brake inspection found worn brake pads. The waiting room has coffee. "
        "Worn brake pads must be replaced before the next inspection. It rained on Tuesday."
    )
    assert summarize(text, 2) == (
        "The brake inspection found worn brake pads. Worn brake pads must be replaced before the next inspection."
    )
    assert ask(text=f"Summarize this in one sentence: {text}", task="summarize").text == (
        "The brake inspection found worn brake pads."
    )
    assert summarize(text, 2, max_words=4) == "The brake inspection found …"


def test_draft_says_that_no_model_wrote_it() -> None:
    answer = ask(text="Write a reply to this customer:\nIs the Camry still available?", task="draft")
    assert answer.text == (
        "No AI model is configured, so this is an extract of the text and not a written answer: "
        "Is the Camry still available?"
    )
    assert answer.data is None


def test_schema_is_filled_by_the_same_rules() -> None:
    schema = {
        "type": "object",
        "properties": {
            "intent": {"enum": ["high", "medium", "low"]},
            "score": {"type": "integer", "minimum": 1, "maximum": 10},
            "urgency_score": {"type": "number"},
            "email": {"type": "string"},
            "emails": {"type": "array", "items": {"type": "string"}},
            "company": {"type": "string"},
            "nickname": {"type": ["string", "null"]},
            "age": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
            "children": {"type": "integer", "minimum": 0},
            "urgent": {"type": "boolean"},
            "reason": {"type": "string"},
            "vehicle": {"$ref": "#/$defs/Vehicle"},
            "kind": {"const": "lead"},
            "tags": {"type": "array", "items": {"enum": ["finance", "trade-in", "spam"]}},
        },
        "$defs": {
            "Vehicle": {"type": "object", "properties": {"year": {"type": "integer"}, "make": {"type": "string"}}}
        },
    }
    assert ask(schema=schema).data == {
        "intent": "high",
        "score": 10,
        "urgency_score": 20,
        "email": "maria.g@example.com",
        "emails": ["maria.g@example.com"],
        "company": "",
        "nickname": None,
        "age": None,
        "children": 0,
        "urgent": False,
        "reason": "Cue words found: ready to buy, test drive, trade in, buy, call me, still available.",
        "vehicle": {"year": 2021, "make": "Toyota"},
        "kind": "lead",
        "tags": ["trade-in"],
    }


def test_schema_that_refers_to_itself_ends() -> None:
    schema = {
        "$defs": {"Node": {"type": "object", "properties": {"next": {"$ref": "#/$defs/Node"}}}},
        "$ref": "#/$defs/Node",
    }
    filled = ask(schema=schema).data
    for _ in range(8):
        filled = filled["next"]
    assert filled == {}


def test_score_is_the_sum_of_its_cues() -> None:
    assert score("Is it still available? I want a test drive.", "intent") == (
        60,
        ("test drive", "still available", "available"),
    )
    assert score("Lorem ipsum", "intent") == (25, ())
    assert score("Unsubscribe", "intent") == (0, ("unsubscribe",))


def test_denied_cue_speaks_against() -> None:
    assert Cues("I'm ready to buy").count("ready to buy") == 1
    assert Cues("I'm not ready to buy").count("ready to buy") == -1
    assert Cues("I'm ready").count("ready to buy") == 0


def test_sentences_and_instructions() -> None:
    assert sentences("Dr. Lee called. He wants 3.5 liters! Why?\n\nNobody knows") == [
        "Dr. Lee called.",
        "He wants 3.5 liters!",
        "Why?",
        "Nobody knows",
    ]
    assert material("Summarize this call: We met.") == "We met."
    assert material("Please extract the fields.\nWe met.") == "We met."
    assert material("We met: it was fine.") == "We met: it was fine."
    assert material("Summarize:") == "Summarize:"


def test_long_text_is_answered_in_time() -> None:
    text = "The customer asked about price and financing on Monday, 12 dollars. " * 5000
    usage = ask(
        text=text, task="extract", fields={"name": "string", "phone": "string", "date": "date", "price": "number"}
    ).usage
    assert usage.duration_ms < 5000
    assert (
        ask(text="a" * 200_000, task="extract", fields={"email": "email", "phone": "string"}).usage.duration_ms < 5000
    )


_NAMES = ("email", "phone", "price", "name", "date", "time", "vin", "year", "url", "vehicle", "zip", "notes")
EVERY_KIND = {**dict.fromkeys(_NAMES, "string"), "count": "integer", "urgent": "boolean"}


@pytest.mark.parametrize(
    "text",
    ["Mr. " * 250_000, "1." * 500_000, "Regards" + "\n" * 1_000_000, "\n " * 500_000, "a@" * 500_000, "- A" * 300_000],
    ids=lambda text: repr(text[:6]),
)
@pytest.mark.parametrize(
    "asked", [{"task": "summarize"}, {"fields": EVERY_KIND}, {"labels": ("question", "complaint")}]
)
def test_no_text_keeps_the_rules_busy(text: str, asked: dict[str, Any]) -> None:
    assert ask(text=text, **asked).usage.provider == "offline"


def test_a_schema_that_refers_to_itself_everywhere_is_filled_as_far_as_is_useful() -> None:
    one = {"type": "object", "properties": {f"part_{number}": {"$ref": "#/$defs/one"} for number in range(12)}}
    assert ask(schema={"$defs": {"one": one}, **one}).data["part_0"]["part_0"].keys() == one["properties"].keys()


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": {"any": True, "none": False, "score": {"type": "integer", "maximum": 1e308}}},
        {"type": "array", "items": True, "maxItems": 1.0},
        {"allOf": [True, {"type": "string", "maxLength": 2.0}]},
        {"anyOf": [False, {"type": "number"}]},
    ],
)
def test_unusual_schemas_are_filled(schema: dict[str, Any]) -> None:
    assert ask(schema=schema).usage.provider == "offline"


def test_a_number_too_large_for_one_is_not_found() -> None:
    assert ask(text=f"The count is {'9' * 400}.", fields={"count": "number"}).data == {"count": None}
