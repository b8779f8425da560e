"""What every socket does: who is it, may they, subscribe, snapshot, replay, then live (`websockets.yaml`, common).

The handshake is always accepted before a refusal, so that a browser sees the close code. Subscribing comes before reading the
snapshot, and frames already covered by it are dropped: nothing can fall between.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections import deque
from typing import Any
from urllib.parse import parse_qs

import orjson
import structlog
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.urls import re_path

from accounts.tokens import authenticate_access, authenticate_session
from auterity.kernel.access import Actor
from auterity.kernel.errors import DomainError, Kind
from auterity.kernel.live import LIVE, Fact

log = structlog.get_logger(__name__)

SUBPROTOCOL = "auterity.v1"
FIRST_FRAME_SECONDS = 10.0
RECHECK_SECONDS = 5.0
QUEUE_LIMIT = 256
MAX_FRAME_BYTES = 64 * 1024
BAD_FRAMES = 10

NOT_AUTHENTICATED, FORBIDDEN, NOT_FOUND, MALFORMED, TOO_SLOW = 4401, 4403, 4404, 4400, 4420


class Refusal(Exception):
    """Closes the socket with a code after one error frame."""

    def __init__(self, code: str, close: int, message: str) -> None:
        super().__init__(message)
        self.code, self.close, self.message = code, close, message


class StreamConsumer(AsyncWebsocketConsumer):
    """A socket that follows one stream. A dialect's consumer says which topic, what the snapshot is, and how a fact is shown."""

    actor: Actor | None = None

    # -- what a subclass says ------------------------------------------------------------------------------------------

    def topic(self) -> str:
        raise NotImplementedError

    def snapshot(self, actor: Actor) -> tuple[list[dict[str, Any]], int, bool]:
        """Frames to begin with, the sequence number they cover, and whether the stream has ended. Raises DomainError."""
        raise NotImplementedError

    def missed(self, actor: Actor, seq: int) -> list[Fact]:
        """The facts after a sequence number, from the database, in order."""
        raise NotImplementedError

    def frame(self, fact: Fact) -> dict[str, Any]:
        raise NotImplementedError

    def is_last(self, fact: Fact) -> bool:
        raise NotImplementedError

    def error_frame(self, code: str, message: str, about: Any = None) -> dict[str, Any]:
        return {
            "type": "error",
            "code": code,
            "message": message,
            "retryable": False,
            **({"id": about} if about is not None else {}),
            "timestamp": now(),
        }

    # -- the socket ----------------------------------------------------------------------------------------------------

    async def connect(self) -> None:
        self._seq = 0
        self._bad_frames = 0
        self._pending: deque[Fact] | None = deque()
        self._outgoing: asyncio.Queue[Fact] = asyncio.Queue(QUEUE_LIMIT)
        self._tasks: list[asyncio.Task[None]] = []
        self._query = {name: values[-1] for name, values in parse_qs(self.scope["query_string"].decode("latin-1")).items()}
        offered = self.scope.get("subprotocols", [])
        await self.accept(SUBPROTOCOL if SUBPROTOCOL in offered else None)
        token = self._handshake_token(offered)
        if token is None:
            self._tasks.append(asyncio.create_task(self._expect_first_frame()))
            return
        await self._guarded(self._enter(token, self._query.get("last_seq")))

    async def disconnect(self, code: int) -> None:
        for task in self._tasks:
            task.cancel()
        if self.actor is not None:
            await LIVE.unwatch(self.topic(), self._on_fact)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if bytes_data is not None:
            await self.close(1003)
        elif text_data is None or len(text_data) > MAX_FRAME_BYTES:
            await self.close(1009)
        else:
            await self._guarded(self._handle(text_data))

    async def _handle(self, text: str) -> None:
        try:
            message = orjson.loads(text)
        except orjson.JSONDecodeError:
            await self._complain("INVALID_JSON", "A frame is one JSON object.")
            return
        if not isinstance(message, dict) or not isinstance(message.get("type"), str):
            await self._complain("INVALID_MESSAGE", "A frame is a JSON object with a type.")
        elif message["type"] == "auth":
            await self._authenticate_again(message)
        elif self.actor is None:
            raise Refusal("NOT_AUTHENTICATED", NOT_AUTHENTICATED, "Send {type: auth, token} first.")
        elif message["type"] == "ping":
            await self._send({"type": "pong", **({"id": message["id"]} if "id" in message else {}), "timestamp": now()})
        elif message["type"] == "resume":
            await self._replay(message.get("last_seq"))
        else:
            await self._complain("UNKNOWN_TYPE", f"This socket knows auth, ping and resume, not '{message['type'][:40]}'.", message.get("id"))

    # -- entering --------------------------------------------------------------------------------------------------------

    def _handshake_token(self, offered: list[str]) -> str | None:
        """Header, then subprotocol, then query; the first one that is there counts."""
        for name, value in self.scope["headers"]:
            if name == b"authorization" and value[:7].lower() == b"bearer ":
                return str(value[7:].decode("latin-1")).strip()
        for each in offered:
            if each.startswith("bearer."):
                return str(each.removeprefix("bearer."))
        return self._query.get("token")

    async def _expect_first_frame(self) -> None:
        await asyncio.sleep(FIRST_FRAME_SECONDS)
        if self.actor is None:
            await self._refuse(Refusal("NOT_AUTHENTICATED", NOT_AUTHENTICATED, "auth_timeout"))

    async def _authenticate_again(self, message: dict[str, Any]) -> None:
        token = message.get("token")
        if not isinstance(token, str):
            raise Refusal("NOT_AUTHENTICATED", NOT_AUTHENTICATED, "auth needs a token.")
        if self.actor is None:
            await self._enter(token, message.get("last_seq"), greet=True)
            return
        actor = await database_sync_to_async(authenticate_access)(token)
        if actor.user_id != self.actor.user_id:
            raise Refusal("FORBIDDEN", FORBIDDEN, "Another user's token.")
        self.actor = actor
        await self._send({"type": "auth_ok", "user_id": str(actor.user_id), "timestamp": now()})

    async def _enter(self, token: str, last_seq: Any, *, greet: bool = False) -> None:
        actor = await database_sync_to_async(authenticate_access)(token)
        await LIVE.watch(self.topic(), self._on_fact)
        self.actor = actor
        if greet:
            await self._send({"type": "auth_ok", "user_id": str(actor.user_id), "timestamp": now()})
        frames, covered, ended = await database_sync_to_async(self.snapshot)(actor)
        for frame in frames:
            await self._send(frame)
        self._seq = covered
        if last_seq is not None:
            await self._replay(last_seq)
        early, self._pending = self._pending or deque(), None
        for fact in early:
            self._enqueue(fact)
        self._tasks.append(asyncio.create_task(self._guarded(self._send_live())))
        self._tasks.append(asyncio.create_task(self._guarded(self._recheck())))
        if ended:
            self._tasks.append(asyncio.create_task(self._close_soon()))

    async def _replay(self, last_seq: Any) -> None:
        """What the client missed, up to what the snapshot or the live stream has covered since."""
        try:
            after = int(last_seq)
        except (TypeError, ValueError):
            await self._complain("INVALID_MESSAGE", "last_seq is a whole number.")
            return
        if after > self._seq or after < 0:
            await self._send(self.error_frame("SEQ_UNAVAILABLE", f"The stream has come to {self._seq}; take the snapshot."))
            return
        assert self.actor is not None, "only called once the caller is known"  # noqa: S101  States a fact to the type checker.
        for fact in await database_sync_to_async(self.missed)(self.actor, after):
            if fact["seq"] <= self._seq:
                await self._send(self.frame(fact))
        await self._send({"type": "replay_done", "seq": self._seq, "timestamp": now()})

    # -- following ---------------------------------------------------------------------------------------------------------

    def _on_fact(self, fact: Fact) -> None:
        """Called on the event loop by the live bus."""
        if self._pending is not None:
            self._pending.append(fact)
        else:
            self._enqueue(fact)

    def _enqueue(self, fact: Fact) -> None:
        try:
            self._outgoing.put_nowait(fact)
        except asyncio.QueueFull:
            self._tasks.append(asyncio.create_task(self.close(TOO_SLOW)))

    async def _send_live(self) -> None:
        """Send in order. A gap means a fact was lost on the way: the database fills it."""
        while True:
            try:
                fact: Fact | None = await asyncio.wait_for(self._outgoing.get(), timeout=RECHECK_SECONDS)
            except TimeoutError:
                fact = None
            if fact is not None and fact["seq"] <= self._seq:
                continue
            if fact is None or fact["seq"] > self._seq + 1:
                assert self.actor is not None, "only started once the caller is known"  # noqa: S101  As above.
                facts = await database_sync_to_async(self.missed)(self.actor, self._seq)
            else:
                facts = [fact]
            for each in facts:
                self._seq = each["seq"]
                await self._send(self.frame(each))
                if self.is_last(each):
                    self._tasks.append(asyncio.create_task(self._close_soon()))

    async def _recheck(self) -> None:
        """Rights are read again every few seconds: a logout or a lost role closes the socket."""
        while True:
            await asyncio.sleep(RECHECK_SECONDS)
            if self.actor is not None and self.actor.session_id is not None:
                self.actor = await database_sync_to_async(authenticate_session)(self.actor.session_id)

    async def _close_soon(self) -> None:
        await asyncio.sleep(30.0)
        await self.close(1000)

    # -- saying ------------------------------------------------------------------------------------------------------------

    async def _guarded(self, action: Any) -> None:
        try:
            await action
        except Refusal as refusal:
            await self._refuse(refusal)
        except DomainError as error:
            await self._refuse(_refusal_of(error))

    async def _refuse(self, refusal: Refusal) -> None:
        await self._send(self.error_frame(refusal.code, refusal.message))
        await self.close(refusal.close)

    async def _complain(self, code: str, message: str, about: Any = None) -> None:
        self._bad_frames += 1
        if self._bad_frames >= BAD_FRAMES:
            raise Refusal(code, MALFORMED, "Too many frames that could not be read.")
        await self._send(self.error_frame(code, message, about))

    async def _send(self, frame: dict[str, Any]) -> None:
        await self.send(text_data=orjson.dumps(frame).decode())


def _refusal_of(error: DomainError) -> Refusal:
    if error.kind is Kind.UNAUTHENTICATED:
        code = "TOKEN_EXPIRED" if error.slug == "token_expired" else "NOT_AUTHENTICATED"
        return Refusal(code, NOT_AUTHENTICATED, error.message)
    if error.kind is Kind.NOT_FOUND:
        return Refusal("NOT_FOUND", NOT_FOUND, error.message)
    return Refusal("FORBIDDEN", FORBIDDEN, error.message)


def now() -> str:
    return dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class NoSuchSocket(AsyncWebsocketConsumer):
    """What an unknown socket address answers: accepted, so that the client sees why, then closed."""

    async def connect(self) -> None:
        await self.accept()
        await self.close(NOT_FOUND)


no_such_socket = re_path(r"", NoSuchSocket.as_asgi())
