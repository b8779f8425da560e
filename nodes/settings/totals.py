"""`totals` of `map`: counts, sums and extremes over what is gone through, added up item by item."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from engine.expressions import ExpressionError
from engine.node import Bare, Step


class Total(BaseModel):
    """One figure."""

    model_config = ConfigDict(extra="forbid")

    fn: Literal["count", "sum", "min", "max", "avg"] = Field(description="How the values are put together.")
    of: Bare = Field(default="", description="The value of each, such as item.price or result.total; null is left out.")


@dataclass(slots=True)
class _Figure:
    """Whole numbers are added exactly; for others the part that a sum loses is added up beside it (Neumaier)."""

    count: int = 0
    whole: int = 0
    broken: float = 0.0
    lost: float = 0.0
    low: Any = None
    high: Any = None
    is_whole: bool = True

    def add(self, value: int | float) -> None:
        if isinstance(value, int):
            self.whole += value
            return
        self.is_whole = False
        total = self.broken + value
        bigger, smaller = (self.broken, value) if abs(self.broken) >= abs(value) else (value, self.broken)
        self.lost += (bigger - total) + smaller
        self.broken = total

    @property
    def sum(self) -> int | float:
        return self.whole if self.is_whole else self.whole + (self.broken + self.lost)


@dataclass(slots=True)
class Totals:
    """Figures by name. `take` raises `ExpressionError` for a value that cannot be added or compared."""

    wanted: Mapping[str, Total]
    step: Step
    _figures: dict[str, _Figure] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._figures = {name: _Figure() for name in self.wanted}

    def take(self, **names: Any) -> None:
        for name, total in self.wanted.items():
            figure = self._figures[name]
            if not total.of:
                figure.count += 1
                continue
            value = self.step.evaluate(total.of, **names)
            if value is None or (total.fn == "count" and value is False):
                continue
            figure.count += 1
            if total.fn in ("sum", "avg"):
                figure.add(_number(name, total, value))
            elif total.fn in ("min", "max"):
                _compare(name, total, figure, value)

    def told(self) -> dict[str, Any]:
        """The figures; null where there was no value."""
        return {name: _told(total.fn, self._figures[name]) for name, total in self.wanted.items()}


def _told(fn: str, figure: _Figure) -> Any:
    if fn == "count":
        return figure.count
    if fn == "sum":
        return figure.sum
    if fn == "avg":
        return figure.sum / figure.count if figure.count else None
    return figure.low if fn == "min" else figure.high


def _number(name: str, total: Total, value: Any) -> int | float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    raise ExpressionError(
        f"totals.{name}: {value!r:.80} is no number; convert it, such as double({total.of}).", total.of
    )


def _compare(name: str, total: Total, figure: _Figure, value: Any) -> None:
    try:
        figure.low = value if figure.low is None or value < figure.low else figure.low
        figure.high = value if figure.high is None or value > figure.high else figure.high
    except TypeError:
        raise ExpressionError(
            f"totals.{name}: {value!r:.80} cannot be compared with {figure.low!r:.80}; make all of them numbers or all texts.",
            total.of,
        ) from None
