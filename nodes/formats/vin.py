"""Vehicle identification numbers: 17 signs, the ninth a check digit (49 CFR 565.15; ISO 3779)."""

from __future__ import annotations

import re

_SHAPE = re.compile(r"[A-HJ-NPR-Z0-9]{17}")
_VALUES = {
    **{str(digit): digit for digit in range(10)},
    **dict(zip("ABCDEFGH", range(1, 9), strict=True)),
    **dict(zip("JKLMN", range(1, 6), strict=True)),
    "P": 7,
    "R": 9,
    **dict(zip("STUVWXYZ", range(2, 10), strict=True)),
}
_WEIGHTS = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)


def clean_vin(text: str) -> str:
    """Upper case, without the blanks and hyphens people type."""
    return re.sub(r"[\s-]", "", text).upper()


def check_digit(vin: str) -> str:
    """The sign that belongs at the ninth place: 0 to 9, or X for ten. `vin` has the right shape."""
    remainder = sum(_VALUES[sign] * weight for sign, weight in zip(vin, _WEIGHTS, strict=True)) % 11
    return "X" if remainder == 10 else str(remainder)


def is_valid_vin(vin: str) -> bool:
    """Whether a cleaned number has the right shape (no I, O or Q) and the right check digit.

    Vehicles built for other markets than North America need not carry a check digit: invalid means "ask", not "wrong".
    """
    return _SHAPE.fullmatch(vin) is not None and vin[8] == check_digit(vin)
