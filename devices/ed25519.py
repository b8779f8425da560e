"""Whether 32 bytes are a point that an Ed25519 key pair can have (RFC 8032, 5.1): canonical, on the curve, of the prime order.

OpenSSL verifies by any 32 bytes. With a point of small order one signature is good for every message.
"""

from __future__ import annotations

from typing import Final

P: Final = 2**255 - 19
ORDER: Final = 2**252 + 27742317777372353535851937790883648493
_D: Final = -121665 * pow(121666, -1, P) % P
_ROOT_OF_MINUS_ONE: Final = pow(2, (P - 1) // 4, P)
Point = tuple[int, int, int, int]  # extended homogeneous coordinates
_NEUTRAL: Final[Point] = (0, 1, 1, 0)


def is_key(raw: bytes) -> bool:
    """A few thousand multiplications: for a registration, not for each signature."""
    point = _decoded(raw)
    return point is not None and not _is_neutral(point) and _is_neutral(_times(ORDER, point))


def _decoded(raw: bytes) -> Point | None:
    if len(raw) != 32:
        return None
    number = int.from_bytes(raw, "little")
    odd, y = number >> 255, number & (2**255 - 1)
    if y >= P:
        return None
    above, below = (y * y - 1) % P, (_D * y * y + 1) % P
    x = above * pow(below, 3, P) * pow(above * pow(below, 7, P), (P - 5) // 8, P) % P
    if below * x * x % P != above:
        x = x * _ROOT_OF_MINUS_ONE % P
    if below * x * x % P != above or (x == 0 and odd):
        return None
    if x & 1 != odd:
        x = P - x
    return (x, y, 1, x * y % P)


def _added(one: Point, other: Point) -> Point:
    a = (one[1] - one[0]) * (other[1] - other[0]) % P
    b = (one[1] + one[0]) * (other[1] + other[0]) % P
    c = 2 * one[3] * other[3] * _D % P
    d = 2 * one[2] * other[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def _times(number: int, point: Point) -> Point:
    found = _NEUTRAL
    while number:
        if number & 1:
            found = _added(found, point)
        point, number = _added(point, point), number >> 1
    return found


def _is_neutral(point: Point) -> bool:
    return point[0] % P == 0 and (point[1] - point[2]) % P == 0
