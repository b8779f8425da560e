"""How many segments a text message takes (3GPP TS 23.038): what it costs, and whether phones show it whole."""

from __future__ import annotations

_GSM = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_ESCAPED = frozenset("\f^{}\\[~]|€")  # Two septets each.


def segments(text: str) -> int:
    """Segments of one message: 160 septets, or 153 each when there are several; 70 and 67 UTF-16 units with other letters."""
    if all(each in _GSM or each in _ESCAPED for each in text):
        return _pieces([2 if each in _ESCAPED else 1 for each in text], 160, 153)
    return _pieces([2 if ord(each) > 0xFFFF else 1 for each in text], 70, 67)


def _pieces(widths: list[int], alone: int, joined: int) -> int:
    """A character of two units is never split over two segments."""
    if sum(widths) <= alone:
        return 1
    count, room = 1, joined
    for width in widths:
        if width > room:
            count, room = count + 1, joined
        room -= width
    return count
