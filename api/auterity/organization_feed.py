"""Everything that happens in one organization, for the client sockets of this process: heard once, in each execution's order.

The live bus may lose anything, so the database is looked at every few seconds for executions that got ahead of what was heard.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from uuid import UUID

import structlog

from api.socket_watch import in_thread
from auterity.kernel.access import Actor
from auterity.kernel.live import LIVE, Fact
from executions import selectors
from executions.live import fact_of, organization_topic

log = structlog.get_logger(__name__)

ALERTS = "alerts"  # the live topic of {alert_id, severity, component, message, resolved}, and organization_id if it is one's own
LOOK_SECONDS = 5.0
LOOK_BACK_SECONDS = 15.0  # more than a look, a transaction and a difference between clocks
LOOK_LINES = 5_000
REMEMBERED = 10_000  # executions whose place is known
LINES = 500

Listener = Callable[[str, Fact], None]


class OrganizationFeed:
    """Hands on ("line", fact) and ("alert", fact) on the event loop. `actor` is somebody who may read the executions."""

    def __init__(self, actor: Actor) -> None:
        self.actor = actor
        self.listeners: set[Listener] = set()
        self._reached: OrderedDict[str, int] = OrderedDict()
        self._behind: dict[str, asyncio.Task[None]] = {}
        self._looking: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """From now on nothing is lost. What moved shortly before counts as known."""
        await LIVE.watch(organization_topic(self.actor.organization_id), self._on_line)
        await LIVE.watch(ALERTS, self._on_alert)
        for execution_id, seq in (await self._moved()).items():
            self._reached.setdefault(str(execution_id), seq)
        self._looking = asyncio.create_task(self._look())

    async def close(self) -> None:
        for task in [*self._behind.values(), self._looking]:
            if task is not None:
                task.cancel()
        await LIVE.unwatch(organization_topic(self.actor.organization_id), self._on_line)
        await LIVE.unwatch(ALERTS, self._on_alert)

    def _on_alert(self, fact: Fact) -> None:
        if fact.get("organization_id", "") in ("", None, str(self.actor.organization_id)):
            self._tell("alert", fact)

    def _on_line(self, fact: Fact) -> None:
        execution_id, seq = fact["execution_id"], fact["seq"]
        reached = self._reached.get(execution_id)
        if execution_id in self._behind or (reached is not None and seq <= reached):
            return
        if reached is None or seq == reached + 1:
            self._pass_on(fact)
        else:
            self._fetch(execution_id)

    def _pass_on(self, fact: Fact) -> None:
        self._reached[fact["execution_id"]] = fact["seq"]
        self._reached.move_to_end(fact["execution_id"])
        while len(self._reached) > REMEMBERED:
            self._reached.popitem(last=False)
        self._tell("line", fact)

    def _tell(self, kind: str, fact: Fact) -> None:
        for listener in list(self.listeners):
            listener(kind, fact)

    def _fetch(self, execution_id: str) -> None:
        """Read what was not heard of one execution; meanwhile nothing of it is handed on, for it would come too early."""
        if execution_id not in self._behind:
            self._behind[execution_id] = asyncio.create_task(self._fetched(execution_id))

    async def _fetched(self, execution_id: str) -> None:
        try:
            while True:
                after = self._reached.get(execution_id, 0)
                lines = await in_thread(self._lines)(UUID(execution_id), after)
                for fact in lines:
                    self._pass_on(fact)
                if len(lines) < LINES:
                    return
        except Exception as error:
            # Whatever the database raises: the next look tries again.
            log.warning("organization_feed_behind", error=type(error).__name__)
        finally:
            self._behind.pop(execution_id, None)

    def _lines(self, execution_id: UUID, after: int) -> list[Fact]:
        lines = selectors.lines_after(actor=self.actor, execution_id=execution_id, seq=after, limit=LINES)
        return [fact_of(each) for each in lines]

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            with suppress(Exception):  # Whatever the database raises: the next look tries again.
                for execution_id, seq in (await self._moved()).items():
                    if self._reached.get(str(execution_id), 0) < seq:
                        self._fetch(str(execution_id))

    async def _moved(self) -> dict[Any, int]:
        since = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=LOOK_BACK_SECONDS)
        return await in_thread(selectors.moved_since)(actor=self.actor, since=since, limit=LOOK_LINES)
