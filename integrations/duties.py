"""What every worker does beside executions: work that stands in the database as due rows, each looked for again and again.

An act does the thing that has been due longest, and says whether there was one. Several workers may look at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from integrations.dispatch import dispatch_due
from integrations.dms.sync import sync_due
from integrations.letters import deliver_letter
from integrations.webhooks import deliver_due


@dataclass(frozen=True, slots=True)
class Duty:
    """`threads` of each process look for it side by side: one that takes its time must not hold up the others."""

    name: str
    threads: int
    act: Callable[[], bool]


DUTIES = (
    Duty("webhooks", 4, deliver_due),
    Duty("letters", 1, deliver_letter),
    Duty("messages", 2, dispatch_due),
    Duty("dms", 2, sync_due),
)
