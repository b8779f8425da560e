"""What every socket does: who is it, may they, subscribe, snapshot, replay, then live (`websockets.yaml`, common).

The handshake is always accepted before a refusal, so that a browser sees the close code. Subscribing comes before reading the
snapshot, and frames already covered by it are dropped: nothing can fall between.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import uuid
from collections import deque
from collections.abc import Coroutine
from functools import partial
from typing import Any
from urllib.parse import parse_qs

import orjson
import structlog
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.urls import re_path

from accounts.tokens import authenticate_access, authenticate_session
from api.frames import (
    AWAY,
    CRASHED,
    FORBIDDEN,
    MALFORMED,
    NOT_AUTHENTICATED,
    NOT_FOUND,
    TOO_SLOW,
    Refusal,
    error_frame,
    expiry_of,
    now,
    refusal_of,
    whole_number,
    written,
)
from api.problems import Crashed, as_domain_error
from auterity.kernel.access import Actor
from auterity.kernel.live import LIVE, Fact

log = structlog.get_logger(__name__)

SUBPROTOCOL = "auterity.v1"
FIRST_FRAME_SECONDS = 10.0
RECHECK_SECONDS = 5.0
EXPIRY_NOTICE_SECONDS = 60.0
LINGER_SECONDS = 30.0
QUEUE_LIMIT = 256
MAX_FRAME_BYTES = 64 * 1024
BAD_FRAMES = 10

# Not on the one thread that Channels keeps for all sockets: a long snapshot would hold up everybody else's frames.
in_thread = partial(database_sync_to_async, thread_sensitive=False)


class StreamConsumer(AsyncWebsocketConsumer):
    """A socket that follows one stream. A dialect's consumer says which topic, what the snapshot is, and how a fact is shown."""

    actor: Actor | None = None
    _closed = False

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

    def error_frame(self, code: str, message: str, about: Any = None, *, retryable: bool = False) -> dict[str, Any]:
        return error_frame(code, message, about, retryable=retryable, request_id=self._id)

    # -- the socket ----------------------------------------------------------------------------------------------------

    async def connect(self) -> None:
        self._id = str(uuid.uuid4())
        self._seq = 0
        self._bad_frames = 0
        self._pending: deque[Fact] | None = deque()
        self._outgoing: asyncio.Queue[Fact] = asyncio.Queue(QUEUE_LIMIT)
        self._tasks: list[asyncio.Task[None]] = []
        self._expiry: asyncio.Task[None] | None = None
        query = parse_qs(self.scope["query_string"].decode("latin-1"))
        self._query = {name: values[-1] for name, values in query.items()}
        offered = self.scope.get("subprotocols", [])
        await self.accept(SUBPROTOCOL if SUBPROTOCOL in offered else None)
        token = self._handshake_token(offered)
        if token is None:
            self._begin(self._expect_first_frame())
            return
        await self._guarded(self._enter(token, self._query.get("last_seq")))

    async def disconnect(self, code: int) -> None:
        self._closed = True
        for task in [*self._tasks, self._expiry]:
            if task is not None:
                task.cancel()
        if self.actor is not None:
            await LIVE.unwatch(self.topic(), self._on_fact)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if self._closed:
            return
        if bytes_data is not None:
            await self._close(1003)
        elif text_data is None or len(text_data.encode()) > MAX_FRAME_BYTES:
            await self._close(1009)
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
            await self._replay(self.actor, message.get("last_seq"))
        else:
            known = f"This socket knows auth, ping and resume, not '{message['type'][:40]}'."
            await self._complain("UNKNOWN_TYPE", known, message.get("id"))

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
            said = "No auth frame came in time."
            raise Refusal("NOT_AUTHENTICATED", NOT_AUTHENTICATED, said, reason="auth_timeout")

    async def _authenticate_again(self, message: dict[str, Any]) -> None:
        token = message.get("token")
        if not isinstance(token, str):
            raise Refusal("NOT_AUTHENTICATED", NOT_AUTHENTICATED, "auth needs a token.")
        if self.actor is None:
            await self._enter(token, message.get("last_seq", self._query.get("last_seq")), greet=True)
            return
        actor = await in_thread(authenticate_access)(token)
        if (actor.user_id, actor.organization_id) != (self.actor.user_id, self.actor.organization_id):
            raise Refusal("FORBIDDEN", FORBIDDEN, "A socket stays with the user and the organization that opened it.")
        self.actor = actor
        self._expire(expiry_of(token))
        await self._greet(actor, token)

    async def _enter(self, token: str, last_seq: Any, *, greet: bool = False) -> None:
        actor = await in_thread(authenticate_access)(token)
        await LIVE.watch(self.topic(), self._on_fact)
        self.actor = actor
        if greet:
            await self._greet(actor, token)
        ended = await self._show(actor)
        if last_seq is not None:
            await self._replay(actor, last_seq)
        early, self._pending = self._pending or deque(), None
        for fact in early:
            self._enqueue(fact)
        self._expire(expiry_of(token))
        self._begin(self._send_live())
        self._begin(self._recheck())
        if ended:
            self._begin(self._close_soon())

    async def _greet(self, actor: Actor, token: str) -> None:
        about = {"user_id": str(actor.user_id), "expires_at": written(expiry_of(token)), "session": self._id}
        await self._send({"type": "auth_ok", **about, "timestamp": now()})

    async def _show(self, actor: Actor) -> bool:
        """Send the snapshot. Whether the stream has ended."""
        frames, covered, ended = await in_thread(self.snapshot)(actor)
        for frame in frames:
            await self._send(frame)
        self._seq = max(self._seq, covered)
        return ended

    async def _replay(self, actor: Actor, last_seq: Any) -> None:
        """What the client missed, up to what the snapshot or the live stream has covered since."""
        after = whole_number(last_seq)
        if after is None:
            await self._complain("INVALID_MESSAGE", "last_seq is a whole number from 0.")
            return
        if after > self._seq:
            said = f"The stream has come to {self._seq}; here is the snapshot."
            await self._send(self.error_frame("SEQ_UNAVAILABLE", said))
            await self._show(actor)
            return
        while after < self._seq:
            facts = [each for each in await in_thread(self.missed)(actor, after) if each["seq"] <= self._seq]
            if not facts:
                break
            for fact in facts:
                await self._send(self.frame(fact))
                after = fact["seq"]
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
            self._begin(self._close(TOO_SLOW))

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
                assert self.actor is not None, "only started once the caller is known"  # noqa: S101  States a fact to the type checker.
                facts = await in_thread(self.missed)(self.actor, self._seq)
            else:
                facts = [fact]
            for each in facts:
                self._seq = each["seq"]
                await self._send(self.frame(each))
                if self.is_last(each):
                    self._begin(self._close_soon())

    async def _recheck(self) -> None:
        """Rights are read again every few seconds: a logout or a lost role closes the socket."""
        while True:
            await asyncio.sleep(RECHECK_SECONDS)
            if self.actor is not None and self.actor.session_id is not None:
                self.actor = await in_thread(authenticate_session)(self.actor.session_id)

    def _expire(self, expires_at: dt.datetime) -> None:
        """Hold the socket to the token's time; a new token starts it anew."""
        if self._expiry is not None:
            self._expiry.cancel()
        self._expiry = asyncio.create_task(self._guarded(self._await_expiry(expires_at)))

    async def _await_expiry(self, expires_at: dt.datetime) -> None:
        left = (expires_at - dt.datetime.now(dt.UTC)).total_seconds()
        await asyncio.sleep(max(0.0, left - EXPIRY_NOTICE_SECONDS))
        await self._send({"type": "auth_expiring", "expires_at": written(expires_at), "timestamp": now()})
        await asyncio.sleep(max(0.0, min(left, EXPIRY_NOTICE_SECONDS)))
        raise Refusal("TOKEN_EXPIRED", NOT_AUTHENTICATED, "The token has expired.")

    async def _close_soon(self) -> None:
        await asyncio.sleep(LINGER_SECONDS)
        await self._close(1000)

    # -- saying ------------------------------------------------------------------------------------------------------------

    def _begin(self, action: Coroutine[Any, Any, None]) -> None:
        self._tasks.append(asyncio.create_task(self._guarded(action)))

    async def _guarded(self, action: Coroutine[Any, Any, None]) -> None:
        """Whatever goes wrong closes the socket and says so: none may stay open that follows nothing or is not rechecked."""
        try:
            await action
        except Refusal as refusal:
            await self._refuse(refusal)
        except Exception as error:
            problem = as_domain_error(error)
            if problem is None:
                log.exception("socket_crashed", path=self.scope.get("path", ""))
            await self._refuse(refusal_of(problem or Crashed()))

    async def _refuse(self, refusal: Refusal) -> None:
        retryable = refusal.close in (CRASHED, AWAY)
        await self._send(self.error_frame(refusal.code, refusal.message, retryable=retryable))
        await self._close(refusal.close, refusal.reason)

    async def _complain(self, code: str, message: str, about: Any = None) -> None:
        self._bad_frames += 1
        if self._bad_frames >= BAD_FRAMES:
            raise Refusal(code, MALFORMED, "Too many frames that could not be read.")
        await self._send(self.error_frame(code, message, about))

    async def _send(self, frame: dict[str, Any]) -> None:
        if self._closed:
            return
        try:
            await self.send(text_data=orjson.dumps(frame).decode())
        except OSError:
            self._closed = True  # The peer is gone; its disconnect is on the way.

    async def _close(self, code: int, reason: str = "") -> None:
        if not self._closed:
            self._closed = True
            await self.close(code, reason)


class NoSuchSocket(AsyncWebsocketConsumer):
    """What an unknown socket address answers: accepted, so that the client sees why, then closed."""

    async def connect(self) -> None:
        await self.accept()
        said = error_frame(
            "NOT_FOUND", "There is no socket at this address.", retryable=False, request_id=str(uuid.uuid4())
        )
        await self.send(text_data=orjson.dumps(said).decode())
        await self.close(NOT_FOUND, "not_found")

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Nothing that is sent here is read."""


no_such_socket = re_path(r"", NoSuchSocket.as_asgi())
