"""What a call costs, estimated. List prices in US dollars for a million tokens; what a contract says may differ."""

from __future__ import annotations

# Model name or its beginning -> (prompt, completion). Local and unknown models cost 0, which is not a promise.
PRICES: dict[str, tuple[float, float]] = {
    "gpt-3.5-turbo": (0.50, 1.50),
    "gpt-4": (30.00, 60.00),
    "gpt-4-turbo": (10.00, 30.00),
    "gpt-4.1": (2.00, 8.00),
    "gpt-4.1-mini": (0.40, 1.60),
    "gpt-4.1-nano": (0.10, 0.40),
    "gpt-4o": (2.50, 10.00),
    "gpt-4o-mini": (0.15, 0.60),
    "gpt-5": (1.25, 10.00),
    "gpt-5-mini": (0.25, 2.00),
    "gpt-5-nano": (0.05, 0.40),
    "o1": (15.00, 60.00),
    "o3": (2.00, 8.00),
    "o3-mini": (1.10, 4.40),
    "o4-mini": (1.10, 4.40),
}


def cost_usd(model: str, prompt_tokens: int, completion_tokens: int) -> float:
    """Estimated dollars of one call, to six digits. A dated name (`gpt-4o-2024-08-06`) costs what its family costs."""
    families = [name for name in PRICES if model == name or model.startswith(f"{name}-")]
    if not families:
        return 0.0
    prompt, completion = PRICES[max(families, key=len)]
    return round((prompt_tokens * prompt + completion_tokens * completion) / 1_000_000, 6)
