"""The streams of the clients of this process (`websockets.yaml`, ws.client): what each asked for of what happens in its
organization, counted from 1.

What a client is sent follows from the organization's log, and from the marks where its filter changed (decision 37). So any
process can go on with a stream, and say again what it said; the process that had the socket last still has it in its memory.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID
from weakref import WeakValueDictionary

import structlog

from api.auterity import client_marks
from api.auterity.client_filter import Filter
from api.auterity.client_marks import Mark
from api.auterity.client_replay import as_fact
from api.auterity.organization_feed import OrganizationFeed
from api.auterity.organization_log import Event, Lost
from api.socket_watch import in_thread
from auterity.kernel.access import Actor
from auterity.kernel.live import Fact

log = structlog.get_logger(__name__)

KEPT_FRAMES = 1000  # in memory; what came before is counted again
KEPT_SECONDS = 300.0  # a stream without a socket, in memory
KEPT_STREAMS = 500  # streams without a socket, of one process
TRIES = 5

Key = tuple[UUID, UUID, str]
Frame = tuple[int, str, dict[str, Any], str]  # seq, type, data, timestamp
Sent = Callable[[Fact], None]


@dataclass(eq=False)
class ClientStream:
    id: UUID
    actor: Actor
    client_id: str
    filter: Filter = field(default_factory=lambda: Filter({}))
    seq: int = 0
    passed: int = 0
    frames: deque[Frame] = field(default_factory=lambda: deque(maxlen=KEPT_FRAMES))
    send: Sent | None = None
    owner: str = ""
    closing: asyncio.TimerHandle | None = None
    over: bool = False

    @property
    def key(self) -> Key:
        return self.actor.organization_id, self.actor.user_id, self.client_id

    def on_events(self, events: list[Event]) -> None:
        self.passed += len(events)
        for kind, fact in events:
            for name, data, moment in self.filter.shown(kind, fact):
                self.seq += 1
                self.frames.append((self.seq, name, data, moment))
                if self.send is not None:
                    self.send(as_fact(*self.frames[-1]))

    def on_lost(self) -> None:
        """Something it should have been sent is gone: nobody can say with which number it goes on."""
        self._end({"lost": True})

    def on_moved(self) -> None:
        """Its client has changed its filter in another process."""
        self._end({"replaced": self.owner})

    def after(self, seq: int) -> list[Fact] | None:
        """What came after a sequence number, or None when that is not in memory."""
        if seq < self.seq and (not self.frames or self.frames[0][0] > seq + 1):
            return None
        return [as_fact(*each) for each in self.frames if each[0] > seq]

    def _end(self, fact: Fact) -> None:
        self.over = True
        if self.send is not None:
            self.send(fact)


class ClientStreams:
    """The streams of one process, and the feeds of the organizations they are about."""

    def __init__(self) -> None:
        self._streams: dict[Key, ClientStream] = {}
        self._idle: OrderedDict[Key, ClientStream] = OrderedDict()
        self._feeds: dict[UUID, OrganizationFeed] = {}
        self._locks: WeakValueDictionary[object, asyncio.Lock] = WeakValueDictionary()
        self._tasks: set[asyncio.Task[None]] = set()

    async def take(
        self, actor: Actor, client_id: str, owner: str, send: Sent, *, comes_back: bool
    ) -> tuple[ClientStream, str]:
        """The client's stream, its own from before if that is still kept and the client may still see the same; and which
        connection had it until now, or "". It begins with everything if the client does not come back."""
        key = (actor.organization_id, actor.user_id, client_id)
        async with self._lock(key):
            feed = await self._feed(actor.organization_id)
            try:
                stream, before = await self._current(actor, client_id, owner, feed)
                if stream.closing is not None:
                    stream.closing.cancel()
                    stream.closing = None
                self._idle.pop(key, None)
                stream.actor, stream.owner, stream.send = actor, owner, send
                if not comes_back and stream.filter != Filter.of_everything(actor):
                    try:
                        await feed.change(stream, Filter.of_everything(actor))
                    except BaseException:
                        self.leave(stream, send)
                        raise
                return stream, before
            finally:
                feed.held -= 1
                self._let_go(feed)

    async def change(self, stream: ClientStream, wanted: Filter) -> None:
        """Raises `Lost` for a stream that is over."""
        feed = self._feeds.get(stream.actor.organization_id)
        if feed is None or stream.over:
            raise Lost(stream.seq)
        await feed.change(stream, wanted)

    def leave(self, stream: ClientStream, send: Sent) -> None:
        """The socket has gone. If no other has taken the stream since, it is kept for a while."""
        if stream.send != send or self._streams.get(stream.key) is not stream:
            return
        stream.send = None
        self._idle[stream.key] = stream
        stream.closing = asyncio.get_running_loop().call_later(KEPT_SECONDS, self._drop, stream)
        feed = self._feeds.get(stream.actor.organization_id)
        if feed is not None:
            self._mark(feed, stream)
        while len(self._idle) > KEPT_STREAMS:
            self._drop(next(iter(self._idle.values())))

    def forget(self) -> None:
        """Drop every stream that has no socket, as when its time in memory is over."""
        for stream in list(self._idle.values()):
            self._drop(stream)

    @property
    def empty(self) -> bool:
        return not self._feeds and not self._tasks

    # -- inside ----------------------------------------------------------------------------------------------------------

    async def _current(
        self, actor: Actor, client_id: str, owner: str, feed: OrganizationFeed
    ) -> tuple[ClientStream, str]:
        await feed.catch_up()
        key = (actor.organization_id, actor.user_id, client_id)
        for _ in range(TRIES):
            claimed = await in_thread(client_marks.claim)(actor=actor, client_id=client_id, owner=owner)
            stream = self._streams.get(key)
            if stream is not None and (stream.over or claimed is None or stream.id != claimed.stream_id):
                self._drop(stream)
                stream = None
            if stream is None and claimed is not None and claimed.mark is not None:
                stream = await self._counted(ClientStream(claimed.stream_id, actor, client_id), claimed.mark, feed)
            if stream is not None and claimed is not None:
                return stream, claimed.owner
            mark = Mark(feed.number + 1, 0, Filter.of_everything(actor))
            stream_id, before = await in_thread(client_marks.begin)(
                actor=actor, client_id=client_id, owner=owner, mark=mark
            )
            if stream_id is not None:
                stream = await self._counted(ClientStream(stream_id, actor, client_id), mark, feed)
                if stream is not None:
                    return stream, before if claimed is None else claimed.owner
        raise Lost(0)

    async def _counted(self, stream: ClientStream, mark: Mark, feed: OrganizationFeed) -> ClientStream | None:
        """A stream that has come from its mark to where the log is now; None when what lies between is lost."""
        stream.filter, stream.seq = mark.filter, mark.seq
        try:
            await feed.join(stream, mark.number)
        except Lost:
            return None
        self._streams[stream.key] = stream
        return stream

    async def _feed(self, organization_id: UUID) -> OrganizationFeed:
        async with self._lock(organization_id):
            feed = self._feeds.get(organization_id)
            if feed is None:
                feed = OrganizationFeed(organization_id)
                await feed.open()
                self._feeds[organization_id] = feed
            feed.held += 1
            return feed

    def _drop(self, stream: ClientStream) -> None:
        if stream.closing is not None:
            stream.closing.cancel()
        self._idle.pop(stream.key, None)
        if self._streams.get(stream.key) is stream:
            del self._streams[stream.key]
        feed = self._feeds.get(stream.actor.organization_id)
        if feed is not None:
            self._mark(feed, stream)
            feed.listeners.discard(stream)
            self._let_go(feed)

    def _mark(self, feed: OrganizationFeed, stream: ClientStream) -> None:
        """Have the stream counted from here when its client comes back."""
        if stream.passed and stream in feed.listeners:
            self._begin(feed.mark(stream))

    def _let_go(self, feed: OrganizationFeed) -> None:
        if not feed.listeners and not feed.held and self._feeds.get(feed.organization_id) is feed:
            del self._feeds[feed.organization_id]
            self._begin(feed.close())

    def _begin(self, action: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(_noted(action))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _lock(self, key: object) -> asyncio.Lock:
        found = self._locks.get(key)
        if found is None:
            found = self._locks[key] = asyncio.Lock()
        return found


async def _noted(action: Coroutine[Any, Any, None]) -> None:
    try:
        await action
    except Exception as error:
        # Whatever the database raises: a mark only shortens the way.
        log.warning("client_stream_unmarked", error=type(error).__name__)


STREAMS = ClientStreams()
