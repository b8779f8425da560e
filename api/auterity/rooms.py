"""Who has a workflow open in this process, and what is told to them without being recorded: presence, cursors, comments.

One room a workflow and process, one subscription and one heartbeat for all of them. The table is the truth about who is there
(`workflows.presence`); what the bus tells only makes it quick.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from typing import Any, Protocol
from uuid import UUID

import structlog

from api.sockets import in_thread
from auterity.kernel.live import LIVE, Fact
from workflows import presence
from workflows.live import room_of

log = structlog.get_logger(__name__)

SENT_ON = 20  # cursors and selections a second and user
JOINED, LEFT, POINTED, COMMENT, DELETED = "joined", "left", "pointed", "comment", "deleted"


class Member(Protocol):
    """A socket in a room."""

    connection: UUID
    joined: bool  # whether it has a row among those who are there

    def on_room(self, fact: Fact) -> None:
        """A fact of the room, on the event loop."""

    async def rejoin(self) -> None:
        """Have a row again."""


class Room:
    """The sockets of one workflow in this process. Everything here happens on the server's event loop."""

    def __init__(self, workflow_id: UUID) -> None:
        self.workflow_id = workflow_id
        self.members: set[Member] = set()
        self.present: dict[str, presence.Participant] = {}
        self._moved: dict[str, float] = {}  # when somebody last came or went
        self._pointing: dict[str, _Pointing] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def on_fact(self, fact: Fact) -> None:
        """What the bus tells about this workflow."""
        if fact["kind"] == JOINED:
            self.present[fact["participant"]["user_id"]] = fact["participant"]
            self._moved[fact["participant"]["user_id"]] = time.monotonic()
            for pointing in self._pointing.values():
                pointing.again()
        elif fact["kind"] == LEFT:
            self.present.pop(fact["user_id"], None)
            self._moved[fact["user_id"]] = time.monotonic()
            self._pointing.pop(fact["user_id"], None)
        for member in list(self.members):
            if fact.get("connection") != str(member.connection):
                member.on_room(fact)

    def settle(self, present: list[presence.Participant], asked_at: float) -> None:
        """Bring what is known in line with the table as it was a moment ago, and tell what the bus has not."""
        there = {each["user_id"]: each for each in present}
        for user_id in self.present.keys() ^ there.keys():
            if self._moved.get(user_id, -1.0) >= asked_at:
                continue  # Came or went while the table was being read.
            if user_id in there:
                self.on_fact({"kind": JOINED, "participant": there[user_id]})
            else:
                self.on_fact({"kind": LEFT, "user_id": user_id})

    def point(self, user_id: UUID, connection: UUID, operation: str, data: dict[str, Any]) -> None:
        """Tell the others where somebody points. What comes too fast is merged: the latest of each kind goes on."""
        fact = {"kind": POINTED, "user_id": str(user_id), "connection": str(connection)}
        pointing = self._pointing.setdefault(str(user_id), _Pointing(self))
        pointing.add({**fact, "operation": operation, "data": data})

    def tell(self, fact: Fact) -> None:
        """Publish a fact of this room. Not on the event loop itself: with Redis it is a call over the network."""
        self.begin(asyncio.to_thread(LIVE.publish, [(room_of(self.workflow_id), fact)]))

    def begin(self, action: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(action)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


class _Pointing:
    """One person's cursor and selection on their way to the others, at most `SENT_ON` a second together.

    The latest of each is kept, and told again when somebody comes.
    """

    def __init__(self, room: Room) -> None:
        self._room = room
        self._latest: dict[str, Fact] = {}
        self._waiting: dict[str, Fact] = {}
        self._free_at = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def again(self) -> None:
        for fact in self._latest.values():
            self.add(fact)

    def add(self, fact: Fact) -> None:
        self._latest[fact["operation"]] = fact
        self._waiting.pop(fact["operation"], None)
        self._waiting[fact["operation"]] = fact
        if self._timer is None:
            self._send()

    def _send(self) -> None:
        self._timer = None
        now = time.monotonic()
        if self._waiting and now >= self._free_at:
            self._free_at = now + 1 / SENT_ON
            self._room.tell(self._waiting.pop(next(iter(self._waiting))))
        if self._waiting:
            self._timer = asyncio.get_running_loop().call_later(max(0.001, self._free_at - now), self._send)


class Rooms:
    """The rooms of this process, and the one heartbeat for all connections in them."""

    def __init__(self) -> None:
        self._rooms: dict[UUID, Room] = {}
        self._beat: asyncio.Task[None] | None = None

    async def enter(self, workflow_id: UUID, member: Member) -> Room:
        """Put a socket into the room of its workflow."""
        room = self._rooms.setdefault(workflow_id, Room(workflow_id))
        room.members.add(member)
        await LIVE.watch(room_of(workflow_id), room.on_fact)
        if self._beat is None or self._beat.done() or self._beat.get_loop() is not asyncio.get_running_loop():
            self._beat = asyncio.create_task(self._beating())
        return room

    async def leave(self, room: Room, member: Member) -> None:
        room.members.discard(member)
        if not room.members and self._rooms.get(room.workflow_id) is room:
            del self._rooms[room.workflow_id]
            await LIVE.unwatch(room_of(room.workflow_id), room.on_fact)

    async def _beating(self) -> None:
        while self._rooms:
            await asyncio.sleep(presence.BEAT_SECONDS)
            try:
                await self.beat()
            except Exception as error:
                # Whatever the database raises: the next beat makes good for this one.
                log.warning("presence_beat_failed", error=type(error).__name__)

    async def beat(self) -> None:
        """Say that this process' connections are alive, and learn who is there."""
        joined = {each.connection: each for room in self._rooms.values() for each in room.members if each.joined}
        for connection in await in_thread(presence.beat)(list(joined)):
            await joined[connection].rejoin()
        asked_at = time.monotonic()
        for workflow_id, present in (await in_thread(presence.present)(list(self._rooms))).items():
            if workflow_id in self._rooms:
                self._rooms[workflow_id].settle(present, asked_at)


ROOMS = Rooms()
