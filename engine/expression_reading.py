"""What an expression refers to, found once when it is compiled."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Mode = Literal["read", "has", "peek"]
Segment = str | int


@dataclass(frozen=True, slots=True)
class Reference:
    """A name and the way from it: `input.items[0].name`. `has` asks whether it is there; `peek` reads null if not."""

    mode: Mode
    root: str
    segments: tuple[Segment, ...]

    @property
    def label(self) -> str:
        return self.root + "".join(map(_written, self.segments))


def _written(segment: Segment) -> str:
    if isinstance(segment, int):
        return f"[{segment}]"
    return f".{segment}" if segment.isidentifier() else f'["{segment}"]'


@dataclass(slots=True)
class Reading:
    """What was found. `text` is for CEL; `places` pairs offsets in `text` with offsets in the source, ascending."""

    text: str = ""
    places: list[tuple[int, int]] = field(default_factory=list)
    references: dict[Reference, str] = field(default_factory=dict)
    uses: dict[str, int] = field(default_factory=dict)  # how often each variable is written
    looping: bool = False
    joins: int = 0  # how many `+`
    scans: int = 0  # how many other operators and calls, each of which may read a whole value
    matches: int = 0  # how many regular expressions
    hard: bool = False  # whether one of them may take long
    growing: bool = False
    whole: Reference | None = None  # the expression is this one reference and nothing else


def quoted(text: str) -> str:
    """A CEL text literal."""
    escaped = "".join(f"\\U{ord(c):08x}" if c in "\"\\'" or not c.isprintable() else c for c in text)
    return f'"{escaped}"'
