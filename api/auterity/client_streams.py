"""The stream of one client (`websockets.yaml`, ws.client): what it asked for of what happens in its organization, counted from 1.

A stream outlives its socket: for a while it goes on counting and keeps what it would have sent, so that a client that comes back
misses nothing (decision 23). It lives in the process that had the socket.
"""

from __future__ import annotations

import asyncio
import uuid
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from api.auterity.client_filter import Filter
from api.auterity.organization_feed import OrganizationFeed
from auterity.kernel.access import Actor
from auterity.kernel.live import Fact

KEPT_FRAMES = 1000
KEPT_SECONDS = 300.0  # a stream without a socket
KEPT_STREAMS = 500  # streams without a socket, of one process

Key = tuple[UUID, UUID, str]
Frame = tuple[int, str, dict[str, Any], str]  # seq, type, data, timestamp
Sent = Callable[[Fact], None]


@dataclass(eq=False)
class ClientStream:
    actor: Actor
    client_id: str
    filter: Filter
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    seq: int = 0
    frames: deque[Frame] = field(default_factory=lambda: deque(maxlen=KEPT_FRAMES))
    send: Sent | None = None
    owner: str = ""
    closing: asyncio.TimerHandle | None = None

    @property
    def key(self) -> Key:
        return self.actor.organization_id, self.actor.user_id, self.client_id

    def on_fact(self, kind: str, fact: Fact) -> None:
        for name, data, moment in self.filter.shown(kind, fact):
            self.seq += 1
            self.frames.append((self.seq, name, data, moment))
            if self.send is not None:
                self.send(as_fact(self.frames[-1]))

    def after(self, seq: int) -> list[Fact]:
        """What is still kept of what came after a sequence number."""
        return [as_fact(each) for each in self.frames if each[0] > seq]


def as_fact(frame: Frame) -> Fact:
    seq, name, data, moment = frame
    return {"seq": seq, "type": name, "data": data, "timestamp": moment}


class ClientStreams:
    """The streams of one process, and the feeds of the organizations they are about."""

    def __init__(self) -> None:
        self._streams: dict[Key, ClientStream] = {}
        self._idle: OrderedDict[Key, ClientStream] = OrderedDict()
        self._feeds: dict[UUID, OrganizationFeed] = {}
        self._opening = asyncio.Lock()
        self._closing: set[asyncio.Task[None]] = set()

    async def take(self, actor: Actor, client_id: str, owner: str, send: Sent) -> tuple[ClientStream, str]:
        """The client's stream, its own from before if it is still kept and the client may still see the same; and which
        connection had it until now, or ""."""
        async with self._opening:
            feed = await self._feed(actor)
            key = (actor.organization_id, actor.user_id, client_id)
            stream = self._streams.get(key)
            if stream is None or stream.actor.permissions != actor.permissions:
                if stream is not None:
                    self._drop(stream)
                stream = self._streams[key] = ClientStream(actor, client_id, Filter.of_everything(actor))
                feed.listeners.add(stream.on_fact)
            self._idle.pop(key, None)
            if stream.closing is not None:
                stream.closing.cancel()
                stream.closing = None
            before, stream.owner, stream.send = stream.owner, owner, send
            return stream, before

    def leave(self, stream: ClientStream, send: Sent) -> None:
        """The socket has gone. If no other has taken the stream since, it is kept for a while."""
        if stream.send != send or self._streams.get(stream.key) is not stream:
            return
        stream.send, stream.owner = None, ""
        self._idle[stream.key] = stream
        stream.closing = asyncio.get_running_loop().call_later(KEPT_SECONDS, self._drop, stream)
        while len(self._idle) > KEPT_STREAMS:
            self._drop(next(iter(self._idle.values())))

    async def _feed(self, actor: Actor) -> OrganizationFeed:
        feed = self._feeds.get(actor.organization_id)
        if feed is None:
            feed = OrganizationFeed(actor)
            await feed.open()
            self._feeds[actor.organization_id] = feed
        feed.actor = actor
        return feed

    def _drop(self, stream: ClientStream) -> None:
        if stream.closing is not None:
            stream.closing.cancel()
        self._idle.pop(stream.key, None)
        if self._streams.get(stream.key) is stream:
            del self._streams[stream.key]
        feed = self._feeds.get(stream.actor.organization_id)
        if feed is not None:
            feed.listeners.discard(stream.on_fact)
            if not feed.listeners:
                del self._feeds[stream.actor.organization_id]
                closing = asyncio.ensure_future(feed.close())
                self._closing.add(closing)
                closing.add_done_callback(self._closing.discard)

    def forget(self) -> None:
        """Drop every stream that has no socket, as when its time is over."""
        for stream in list(self._idle.values()):
            self._drop(stream)

    @property
    def empty(self) -> bool:
        return not self._feeds and not self._closing


STREAMS = ClientStreams()
