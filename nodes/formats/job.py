"""What the guarded child is asked to do with a file, and what it says when it is done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

Task = Literal["read", "write", "inspect"]


@dataclass(frozen=True, slots=True)
class Job:
    """`read`: the file's items as NDJSON. `write`: the file's items in the format `target`. `inspect`: prove what it is; of a
    picture the same picture made anew comes out.

    `name` is the file's, by which some formats are told apart. The rest are the options of the formats.
    """

    task: Task
    format: str = "auto"
    target: str = ""
    name: str = ""
    delimiter: str = ""
    header: bool | Sequence[str] = True
    columns: Sequence[str] = ()
    neutralise: bool = True
    path: str = ""
    timezone: str = ""
    sheet: str = ""
    root: str = "items"
    item: str = "item"


@dataclass(slots=True)
class Report:
    """What a job found: how many items, in which format, and what was left out and why."""

    format: str = ""
    count: int = 0
    problems: list[str] = field(default_factory=list)
