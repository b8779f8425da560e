"""Functions of numbers."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from engine.expression_arguments import fitting, list_of, number_of, whole_of


def round_to(value: Any, digits: Any = 0) -> int | float:
    """Halves away from zero; a whole number when no digits are asked for."""
    places = whole_of(digits)
    if not 0 <= places <= 15:
        raise ValueError("the number of digits is 0 to 15")
    exact = number_of(value)
    if isinstance(exact, int):
        return exact
    if not math.isfinite(exact) or abs(exact) >= 1e15:
        return exact if places else integer(exact, round)
    rounded = Decimal(repr(exact)).quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)
    return float(rounded) if places else int(rounded)


def integer(value: Any, how: Callable[[float], int]) -> int:
    """The number made whole by `how`, such as `math.floor`. Raises ValueError where 64 bits do not hold it."""
    exact = number_of(value)
    if not math.isfinite(exact):
        raise ValueError("the number is infinite (was something divided by zero?)")
    return fitting(how(exact))


def absolute(value: Any) -> int | float:
    exact = abs(number_of(value))
    return fitting(exact) if isinstance(exact, int) else exact


def comparable(values: tuple[Any, ...]) -> list[Any]:
    """The values, or the items of the one list given: all numbers or all texts. Raises ValueError."""
    items = values[0] if len(values) == 1 and isinstance(values[0], list) else list(values)
    if all(isinstance(each, str) for each in items):
        return items
    return [number_of(each) for each in items]


def chosen(how: Callable[[list[Any]], Any]) -> Callable[..., Any]:
    """A function of several values or of one list."""

    def choose(*values: Any) -> Any:
        items = comparable(values)
        if not items:
            raise ValueError("the list is empty")
        return how(items)

    return choose


def total(items: Any) -> int | float:
    """0 for an empty list; whole numbers stay whole."""
    numbers = [number_of(each) for each in list_of(items)]
    if any(isinstance(each, float) for each in numbers):
        return math.fsum(numbers)
    return fitting(sum(map(int, numbers)))


def average(items: Any) -> float:
    numbers = [number_of(each) for each in list_of(items)]
    if not numbers:
        raise ValueError("the list is empty, so it has no average")
    return math.fsum(numbers) / len(numbers)
