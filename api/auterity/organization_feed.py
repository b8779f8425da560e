"""Everything that happens in one organization, for the client sockets of this process, in the order of the organization's log.

What is heard on the live bus is appended to the log, unless another process has done it first, and handed on once it is
committed there. The bus may lose anything, so the database is looked at every few seconds for what was not heard.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from typing import Any, Protocol
from uuid import UUID

import structlog

from api.auterity import client_marks, organization_log
from api.auterity.client_filter import Filter
from api.auterity.client_marks import Mark
from api.auterity.log_pending import Pending
from api.auterity.log_tail import Tail
from api.auterity.organization_log import Batch, Event, Lost
from api.socket_watch import in_thread
from auterity.kernel.live import LIVE, Fact
from executions.live import organization_topic

log = structlog.get_logger(__name__)

ALERTS = "alerts"  # the live topic of {alert_id, severity, component, message, resolved}, and organization_id if it is one's own
LOOK_SECONDS = 5.0
WINDOW_SECONDS = (
    0.02,
    0.05,
)  # what is heard in this time goes into one batch; not the same for all, so that one is first
RETRY_SECONDS = 1.0
SEEN_EVERY = 3600.0
HEARD = 4096  # facts that wait for their batch
BATCH_LINES = 100  # fewer than a socket may have waiting
BRIDGED_LINES = 1_000  # in a batch when nobody listens yet
COUNTED_LINES = 500_000  # that a stream is brought forward over, at the most
NEAR_BATCHES = 5
MARKED_LINES = 10_000


class Listener(Protocol):
    """A client's stream, as the feed sees it."""

    id: UUID
    filter: Filter
    seq: int
    passed: int  # lines since its last mark

    def on_events(self, events: list[Event]) -> None: ...
    def on_lost(self) -> None: ...
    def on_moved(self) -> None: ...


class OrganizationFeed:
    """Follows the log of one organization and hands each batch to its listeners, on the event loop."""

    def __init__(self, organization_id: UUID) -> None:
        self.organization_id = organization_id
        self.listeners: set[Listener] = set()
        self.held = 0  # clients that are on their way to it
        self._tail = Tail(organization_id)
        self._pending = Pending()
        self._heard: OrderedDict[tuple[str, int], Fact] = OrderedDict()
        self._changes: list[tuple[Listener, Filter, asyncio.Future[None]]] = []
        self._told = 0
        self._applying = asyncio.Lock()
        self._woken = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._seen_at = time.monotonic()

    @property
    def number(self) -> int:
        return self._tail.number

    @property
    def _watched(self) -> dict[str, Callable[[Fact], None]]:
        return {
            organization_topic(self.organization_id): self._on_line,
            ALERTS: self._on_alert,
            f"log:{self.organization_id}": self._on_batch,
        }

    async def open(self) -> None:
        """From now on nothing is lost; what happened since the log was last written is appended to it first."""
        for topic, watcher in self._watched.items():
            await LIVE.watch(topic, watcher)
        try:
            async with self._applying:
                await self._bridge()
        except BaseException:
            await self.close()
            raise
        self._tasks = [asyncio.create_task(self._run()), asyncio.create_task(self._look())]

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        for topic, watcher in self._watched.items():
            await LIVE.unwatch(topic, watcher)

    async def catch_up(self) -> None:
        """Come at least as far as the log was when this was called: whatever any client was sent, in any process."""
        async with self._applying:
            await self._read_on()

    async def join(self, stream: Listener, number: int) -> None:
        """Let a stream hear everything from batch `number` on: first what is in the log already. Raises `Lost`."""
        counted, mark = 0, number
        while self.number - number >= NEAR_BATCHES:
            number, lines = await self._counted(stream, number, mark)
            counted += lines
            if counted > COUNTED_LINES:
                raise Lost(number)
        async with self._applying:
            while number <= self.number:
                number, _ = await self._counted(stream, number, mark)
            self.listeners.add(stream)

    async def change(self, stream: Listener, wanted: Filter) -> None:
        """Give a stream another filter, between two batches. It holds once this returns, also after a crash."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._changes.append((stream, wanted, done))
        self._woken.set()
        await done

    def mark(self, *streams: Listener) -> Coroutine[Any, Any, None]:
        """Write down how far these have come by now."""
        rows = client_marks.rows_of((self.organization_id, *self._mark_of(each, each.filter)) for each in streams)
        for each in streams:
            each.passed = 0
        return in_thread(client_marks.write)(self.organization_id, rows)

    # -- hearing ---------------------------------------------------------------------------------------------------------

    def _on_line(self, fact: Fact) -> None:
        place = fact["execution_id"], fact["seq"]
        if self._tail.covers(*place):
            return
        self._heard[place] = fact
        while len(self._heard) > HEARD:
            self._heard.popitem(last=False)
        self._pending.line(*place)
        self._woken.set()

    def _on_alert(self, fact: Fact) -> None:
        if fact.get("organization_id", "") in ("", None, str(self.organization_id)) and not self._tail.has_alert(fact):
            self._pending.alert(fact)
            self._woken.set()

    def _on_batch(self, fact: Fact) -> None:
        self._told = max(self._told, fact["number"])
        self._woken.set()

    async def _look(self) -> None:
        """What the bus lost, and what is done from time to time."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                await self.catch_up()
                for execution_id, seq in await in_thread(self._tail.moved_lately)():
                    if not self._tail.covers(execution_id, seq):
                        self._pending.line(execution_id, seq)
                for fact in await in_thread(self._tail.alerts_lately)():
                    self._on_alert(fact)
                self._woken.set()
                due = [each for each in self.listeners if each.passed >= MARKED_LINES]
                if due:
                    await self.mark(*due)
                if time.monotonic() - self._seen_at > SEEN_EVERY:
                    self._seen_at = time.monotonic()
                    await in_thread(client_marks.still_here)(self.organization_id, [each.id for each in self.listeners])
            except Exception as error:
                # Whatever the database raises: the next look tries again.
                log.warning("organization_feed_blind", error=type(error).__name__)

    # -- the log ---------------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        while True:
            await self._woken.wait()
            self._woken.clear()
            try:
                if self._told > self.number:
                    await self.catch_up()
                while self._changes or self._pending:
                    await asyncio.sleep(random.uniform(*WINDOW_SECONDS))  # noqa: S311  Nothing secret.
                    async with self._applying:
                        if self._told > self.number:
                            await self._read_on()
                        await self._append(BATCH_LINES)
            except Exception as error:
                # Whatever the database raises: what was heard waits.
                log.warning("organization_feed_behind", error=type(error).__name__)
                await asyncio.sleep(RETRY_SECONDS)
                self._woken.set()

    async def _bridge(self) -> None:
        """Append what happened while no process followed the log; if that cannot be done, say in it that lines are missing."""
        while not await in_thread(self._tail.read)():
            gap = await in_thread(self._tail.gap)()
            if await in_thread(organization_log.append)(self.organization_id, gap):
                self._tail.apply(gap)
                return
        for fact in await in_thread(self._tail.alerts_since_then)():
            self._on_alert(fact)
        lines = self._tail.since_then()
        while places := await in_thread(next)(lines, None):
            for place in places:
                if not self._tail.covers(*place):
                    self._pending.line(*place)
            while self._pending:
                await self._append(BRIDGED_LINES)
        while self._pending:
            await self._append(BRIDGED_LINES)

    async def _append(self, most: int) -> None:
        """One batch of what was heard and of the filters that change; or, if another process was first, its batches."""
        unknown = self._pending.unknown(self._tail)
        if unknown:
            self._tail.learn(unknown, await in_thread(self._tail.first_seqs)(unknown))
        changes = self._take_changes()
        try:
            entries, lines = self._pending.entries(self._tail, most)
            entries = [{"filter": str(stream.id)} for stream, _, _ in changes] + entries
            if not entries:
                return
            batch = self._tail.next(entries, lines)
            rows = client_marks.rows_of(
                (self.organization_id, *self._mark_of(stream, wanted)) for stream, wanted, _ in changes
            )
            if not await in_thread(organization_log.append)(self.organization_id, batch, rows):
                await self._read_on()
                return
            for stream, wanted, done in changes:
                stream.filter, stream.passed = wanted, 0
                if not done.done():
                    done.set_result(None)
            own = {stream.id for stream, _, _ in changes}
            changes = []
            await self._apply(batch, own)
        finally:
            self._changes[:0] = changes
        await in_thread(LIVE.publish)([(f"log:{self.organization_id}", {"number": batch.number})])

    async def _read_on(self) -> None:
        while batches := await in_thread(organization_log.after)(self.organization_id, self.number):
            for batch in batches:
                await self._apply(batch, set())

    async def _apply(self, batch: Batch, own: set[UUID]) -> None:
        """Hand a committed batch on. `own`: streams whose filter this process has changed in it."""
        events = await self._events(batch) if self.listeners else []
        # From here to the end nothing waits: a stream has always come as far as the feed.
        moved = {UUID(each) for each in batch.named("filter")} - own
        for stream in list(self.listeners):
            if stream.id in moved:
                self.listeners.discard(stream)
                stream.on_moved()
            elif events is None:
                self.listeners.discard(stream)
                stream.on_lost()
            else:
                stream.on_events(events)
        self._tail.apply(batch)
        for execution_id, first, last in batch.runs():
            for seq in range(first, last + 1):
                self._heard.pop((execution_id, seq), None)

    async def _events(self, batch: Batch) -> list[Event] | None:
        """What a batch tells; None when that is lost."""
        places = [(each, seq) for each, first, last in batch.runs() for seq in range(first, last + 1)]
        heard = {place: self._heard[place] for place in places if place in self._heard}
        try:
            if len(heard) == len(places):
                return organization_log.told(self.organization_id, [batch], heard)[0]
            return (await in_thread(organization_log.told)(self.organization_id, [batch], heard))[0]
        except Lost:
            return None

    # -- streams ---------------------------------------------------------------------------------------------------------

    def _take_changes(self) -> list[tuple[Listener, Filter, asyncio.Future[None]]]:
        """One for each stream that is still here. Who waits for one that is not is told."""
        taken: dict[UUID, Any] = {}
        later = []
        for change in self._changes:
            stream, _, done = change
            if stream not in self.listeners:
                if not done.done():
                    done.set_exception(Lost(self.number))
            elif stream.id in taken:
                later.append(change)
            else:
                taken[stream.id] = change
        self._changes = later
        return list(taken.values())

    def _mark_of(self, stream: Listener, wanted: Filter) -> tuple[UUID, Mark]:
        return stream.id, Mark(self.number + 1, stream.seq, wanted)

    async def _counted(self, stream: Listener, number: int, mark: int) -> tuple[int, int]:
        """Let a stream that does not listen yet hear a page from `number` on. Returns the next number and how many lines."""
        page = await in_thread(organization_log.page)(self.organization_id, number - 1)
        lines = 0
        for batch, events in page:
            if batch.number > self.number:
                break
            if batch.number != mark and str(stream.id) in batch.named("filter"):
                raise Lost(number)  # There is a later mark by now than the one it is counted from.
            stream.on_events(events)
            number, lines = batch.number + 1, lines + len(events)
        else:
            if not page:
                raise Lost(number)
        return number, lines
