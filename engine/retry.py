"""When a failed attempt is tried again. One rule, as a function of the policy, the attempt and the kind of failure."""

from __future__ import annotations

from typing import Any

from engine.node import Failed, Retry

MAX_SECONDS = 604_800.0  # what another side asks for is heeded up to a week


def delay_before_next(policy: Retry, failure: Failed, attempt: int, chance: float) -> float | None:
    """Seconds until the next attempt, or None when this failure is final.

    `attempt` counts from 1; `chance` is a random number in [0, 1) that spreads retries over [0.5, 1.0] of the back-off.
    A provider's own `retry_after` (seconds, in the failure's details) is not undercut, up to a week.
    """
    if attempt >= policy.max_attempts or failure.code not in policy.on:
        return None
    try:
        back_off = policy.backoff_seconds * policy.multiplier ** (attempt - 1)
    except OverflowError:
        back_off = policy.max_seconds
    back_off = min(back_off, policy.max_seconds)
    if policy.jitter:
        back_off *= 0.5 + chance / 2
    return max(back_off, _seconds(failure.details.get("retry_after")))


def _seconds(asked: Any) -> float:
    """A number, or the digits of an HTTP header; anything else asks for nothing."""
    if isinstance(asked, str) and asked.isascii() and asked.isdigit():
        return min(float(asked[:12]), MAX_SECONDS)
    if isinstance(asked, bool) or not isinstance(asked, int | float) or not asked >= 0:
        return 0.0
    return float(min(asked, MAX_SECONDS))
