"""What functions may be given, and how much they may build. Failures are ValueErrors with half a sentence to teach."""

from __future__ import annotations

import threading
from typing import Any

from engine.expression_errors import kind_of
from engine.expression_values import MAX_BYTES


class _Allowance(threading.local):
    left = MAX_BYTES


_allowance = _Allowance()


def start_allowance() -> None:
    """Before each evaluation: its functions may build 8 MiB together."""
    _allowance.left = MAX_BYTES


def charge(size: int) -> None:
    _allowance.left -= size
    if _allowance.left < 0:
        raise ValueError(f"the result would be larger than {MAX_BYTES // (1024 * 1024)} MiB")


def number_of(value: Any) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"a number is needed, not {kind_of(value)}; use number(x) or default(x, 0)")
    return value


def text_of(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"text is needed, not {kind_of(value)}; use text(x)")
    return value


def list_of(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError(f"a list is needed, not {kind_of(value)}")
    return value


def map_of(value: Any) -> dict[Any, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"a map is needed, not {kind_of(value)}")
    return value


def whole_of(value: Any) -> int:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"a whole number is needed, not {kind_of(value)}")
    return value


def fitting(value: int) -> int:
    if not -(2**63) <= value < 2**63:
        raise ValueError("the result does not fit a whole number of 64 bits")
    return value
