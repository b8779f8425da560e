"""A socket that follows a stream: subscribe, snapshot, replay, then live (`websockets.yaml`, sequence and snapshot).

Subscribing comes before reading the snapshot, and frames already covered by it are dropped: nothing can fall between.
"""

from __future__ import annotations

import asyncio
import uuid
from collections import deque
from collections.abc import Hashable
from typing import Any, ClassVar

from channels.generic.websocket import AsyncWebsocketConsumer
from django.urls import re_path

from api.frames import data_frame, error_fields, flat_frame, text_of, whole_number
from api.socket_codes import NOT_FOUND, TOO_SLOW
from api.socket_connection import Connection
from api.socket_outbox import Outbox
from api.socket_shared import SHARED_FACTS, SHARED_FRAMES
from api.socket_watch import in_thread
from auterity.kernel.access import Actor
from auterity.kernel.live import LIVE, Fact

LINGER_SECONDS = 30.0
EARLY_FACTS = 256  # kept while the snapshot is read; the database has what is more


class StreamConsumer(Connection):
    """A socket that follows one stream. A dialect's consumer says which topic, what the snapshot is, and how a fact is shown.

    A fact with a `seq` is durable and comes in order, without gaps: what was lost on the way is read with `missed`. A fact
    without one is shown as it comes; of those with the same `key_of` the latest replaces the others, at most four a second.
    """

    same_for_all: ClassVar[bool] = False  # a fact is the same frame for every subscriber: it is written once a process

    # -- what a subclass says ------------------------------------------------------------------------------------------

    def topic(self) -> str:
        raise NotImplementedError

    def snapshot(self, actor: Actor) -> tuple[list[dict[str, Any]], int, bool]:
        """Frames to begin with, the sequence number they cover, and whether the stream has ended. Raises DomainError."""
        raise NotImplementedError

    def missed(self, actor: Actor, seq: int) -> list[Fact]:
        """The next facts after a sequence number, from the database, in order; empty when there are no more."""
        raise NotImplementedError

    def frame(self, fact: Fact) -> dict[str, Any]:
        raise NotImplementedError

    def is_last(self, fact: Fact) -> bool:
        raise NotImplementedError

    def key_of(self, fact: Fact) -> Hashable | None:
        """For a fact without a sequence number: what it is the latest of, or None when each one counts."""
        return None

    def object_id(self) -> Hashable | None:
        """The object this socket follows, by which `heads` knows it. None: `missed` is asked for each socket by itself."""
        return None

    @classmethod
    def heads(cls, ids: list[Any]) -> dict[Any, int] | None:
        """For all sockets of this class together, in one query: the newest sequence number of each of these objects, without
        those that were deleted. None: this class cannot tell."""
        return None

    async def follow(self) -> None:
        """Begin to hear facts. `self.actor` is known."""
        await LIVE.watch(self.topic(), self._on_fact)

    async def unfollow(self) -> None:
        await LIVE.unwatch(self.topic(), self._on_fact)

    # -- coming and going ------------------------------------------------------------------------------------------------

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._seq = 0
        self._head: int | None = None
        self._early: deque[Fact] | None = deque(maxlen=EARLY_FACTS)
        self._outbox = Outbox()
        self._turn = asyncio.Lock()
        self._followed = False

    async def admitted(self, actor: Actor, last_seq: Any) -> None:
        self._followed = True
        await self.follow()
        ended = await self._show(actor)
        if last_seq is not None:
            await self.resumed(actor, last_seq)
        early, self._early = self._early or deque(), None
        if len(early) == EARLY_FACTS:
            self._outbox.look()
        for fact in early:
            self._enqueue(fact)
        self._begin(self._send_live())
        if ended:
            self._begin(self._close_soon())

    async def left(self, actor: Actor) -> None:
        if self._followed:
            await self.unfollow()

    async def _show(self, actor: Actor) -> bool:
        """Send the snapshot. Whether the stream has ended."""
        frames, covered, ended = await in_thread(self.snapshot)(actor)
        for frame in frames:
            await self._send(frame)
        self._seq = max(self._seq, covered)
        return ended

    async def resumed(self, actor: Actor, last_seq: Any) -> None:
        """What the client missed, up to what the snapshot or the live stream has covered since. Live frames wait."""
        after = whole_number(last_seq)
        if after is None:
            await self._complain("INVALID_MESSAGE", "last_seq is a whole number from 0.")
            return
        async with self._turn:
            if after > self._seq:
                await self._begin_anew(actor, f"The stream has come to {self._seq}; here is the snapshot.")
                return
            while after < self._seq and not self._closed:
                facts = [each for each in await self._missed(actor, after) if each["seq"] <= self._seq]
                if not facts or facts[0]["seq"] != after + 1:
                    await self._begin_anew(actor, f"Frame {after + 1} is no longer kept; here is the snapshot.")
                    return
                for fact in facts:
                    await self._show_fact(fact)
                    after = fact["seq"]
            await self._send(self.own_frame("replay_done", {"seq": self._seq}))

    async def _begin_anew(self, actor: Actor, why: str) -> None:
        await self._send(self.error_frame("SEQ_UNAVAILABLE", why))
        await self._show(actor)

    # -- following ---------------------------------------------------------------------------------------------------------

    def _on_fact(self, fact: Fact) -> None:
        """Called on the event loop by the live bus."""
        if self._early is not None:
            self._early.append(fact)
        else:
            self._enqueue(fact)

    def _enqueue(self, fact: Fact) -> None:
        seq = fact.get("seq")
        if self._closed or (seq is not None and seq <= self._seq):
            return
        key = self.key_of(fact) if seq is None else None
        if key is not None:
            self._outbox.replace(key, fact)
        elif not self._outbox.put(fact):
            self._begin(self._close(TOO_SLOW, "too_slow"))

    async def _send_live(self) -> None:
        """Send in order. A gap means a fact was lost on the way: the database fills it."""
        while not self._closed:
            fact = await self._outbox.get()
            async with self._turn:
                seq = self._head if fact is None else fact.get("seq")
                if fact is None and (seq is None or seq > self._seq):
                    await self._catch_up()
                elif fact is not None and seq is None:
                    await self._show_fact(fact)
                elif fact is not None and seq is not None:
                    if seq > self._seq + 1:
                        await self._catch_up()
                    if seq == self._seq + 1:
                        await self._advance(fact)

    async def _catch_up(self) -> None:
        while self.actor is not None and not self._closed:
            facts = await self._missed(self.actor, self._seq)
            if not facts:
                return
            for each in facts:
                await self._advance(each)

    async def _advance(self, fact: Fact) -> None:
        self._seq = fact["seq"]
        await self._show_fact(fact)
        if self.is_last(fact):
            self._begin(self._close_soon())

    async def _show_fact(self, fact: Fact) -> None:
        if not self.same_for_all or fact.get("seq") is None:
            await self._send(self.frame(fact))
            return
        key = (type(self), self.topic(), fact["seq"])
        await self._write(SHARED_FRAMES.text(key, lambda: text_of(self.frame(fact))))

    async def _missed(self, actor: Actor, seq: int) -> list[Fact]:
        if not self.same_for_all:
            return await in_thread(self.missed)(actor, seq)
        key = (type(self), self.topic(), seq)
        return await SHARED_FACTS.once(key, lambda: in_thread(self.missed)(actor, seq))

    def look(self, head: int | None) -> None:
        """What the watch found: how far the stream has come, or None when it cannot tell."""
        if self._early is None and (head is None or head > self._seq):
            self._head = head
            self._outbox.look()

    async def _close_soon(self) -> None:
        await asyncio.sleep(LINGER_SECONDS)
        await self._close(1000, "ended")


class DataShape:
    """For a socket that speaks 001: what is common stands inside `data`, and is read from there and from the top level."""

    def own_frame(self, kind: str, about: dict[str, Any]) -> dict[str, Any]:
        return data_frame(kind, about)

    def word(self, message: dict[str, Any], name: str, default: Any = None) -> Any:
        inside = message.get("data")
        return message.get(name, inside.get(name, default) if isinstance(inside, dict) else default)


class NoSuchSocket(AsyncWebsocketConsumer):
    """What an unknown socket address answers: accepted, so that the client sees why, then closed."""

    async def connect(self) -> None:
        await self.accept()
        fields = error_fields(
            "NOT_FOUND", "There is no socket at this address.", retryable=False, request_id=str(uuid.uuid4())
        )
        await self.send(text_data=text_of(flat_frame("error", fields)))
        await self.close(NOT_FOUND, "not_found")

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Nothing that is sent here is read."""


no_such_socket = re_path(r"", NoSuchSocket.as_asgi())
