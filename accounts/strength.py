"""How hard a password is to guess, for its owner to see. What may be chosen at all is decided in `password_rules`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

_POOLS: Final = ((str.islower, 26), (str.isupper, 26), (str.isdigit, 10), (lambda each: not each.isalnum(), 33))
_STEPS: Final = (28, 40, 60, 80)  # bits from which a score is 1, 2, 3, 4
_LOOKED_AT: Final = 128  # characters; longer ones are as strong as can be told


@dataclass(frozen=True, slots=True)
class Strength:
    """`score` is 0 (guessed at once) to 4. `warnings` say what would raise it."""

    score: int
    warnings: list[str]


def of(password: str) -> Strength:
    """By its length and the kinds of its characters; one that repeats or follows the one before it adds nothing."""
    text = password[:_LOOKED_AT]
    pool = sum(size for belongs, size in _POOLS if any(belongs(each) for each in text)) or 1
    new = [
        each for before, each in zip("\0" + text, text, strict=False) if abs(ord(each) - ord(before)) > 1
    ]  # not a run such as aaa or abc
    bits = len(new) * math.log2(max(pool, 2))
    score = sum(bits >= step for step in _STEPS)
    warnings = []
    if score < len(_STEPS):
        if len(new) < len(text):
            warnings.append("Repeated characters and runs such as abc or 111 are guessed early.")
        if pool <= 36:
            warnings.append("Other kinds of characters make it harder to guess.")
        if len(text) < 14:
            warnings.append("A longer one, such as several words, is harder to guess.")
    return Strength(score, warnings)
