"""When a failed attempt is tried again. One rule, as a function of the policy, the attempt and the kind of failure."""

from __future__ import annotations

from engine.node import Failed, Retry


def delay_before_next(policy: Retry, failure: Failed, attempt: int, chance: float) -> float | None:
    """Seconds until the next attempt, or None when this failure is final.

    `attempt` counts from 1; `chance` is a random number in [0, 1) that spreads retries over [0.5, 1.0] of the back-off.
    A provider's own `retry_after` (seconds, in the failure's details) is never undercut.
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
    asked = failure.details.get("retry_after")
    return max(back_off, float(asked)) if isinstance(asked, int | float) and asked >= 0 else back_off
