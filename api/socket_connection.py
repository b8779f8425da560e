"""A connection of somebody: who is it, how long may they stay, how much may they say, how it ends (`websockets.yaml`, common).

The handshake is always accepted before a refusal, so that a browser sees the close code.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import math
import time
import uuid
from collections import deque
from collections.abc import Coroutine
from typing import Any, ClassVar
from urllib.parse import parse_qsl

import orjson
import structlog
from channels.consumer import get_handler_name
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings

from api.frames import Refusal, error_fields, flat_frame, refusal_of, text_of, too_deep, written
from api.problems import Crashed, as_domain_error
from api.socket_codes import (
    AWAY,
    BINARY,
    CRASHED,
    FORBIDDEN,
    FRAME_BYTES,
    FULL,
    MALFORMED,
    NOT_AUTHENTICATED,
    TOO_LARGE,
    TOO_MANY,
)
from api.socket_door import Credential, Entered, address_of, credential_of, enter
from api.socket_limits import ALLOWANCE, CONNECTIONS, PLACES
from api.socket_watch import WATCH, in_thread
from auterity.kernel.access import Actor, Permission

log = structlog.get_logger(__name__)

SUBPROTOCOL = "auterity.v1"
FIRST_FRAME_SECONDS = 10.0
EXPIRY_NOTICE_SECONDS = 60.0
WINDOW_SECONDS = 60.0
BAD_FRAMES = 10  # in a window
DROPPED_FRAMES = 50  # in a window
FAREWELL_SECONDS = 2.0

_UNSAID: Any = object()
_open = 0  # sockets of this process


class Connection(AsyncWebsocketConsumer):
    """A socket without anything to say yet: it authenticates, keeps the limits, and answers ping. See `api.sockets`."""

    actor: Actor | None = None
    needs: Permission | None = None  # the right without which nobody stays
    takes: ClassVar[int] = FRAME_BYTES  # bytes of a client's frame
    refuses: ClassVar[frozenset[str]] = frozenset()  # ways of `Credential` that this socket does not take
    _closed = False

    # -- what a subclass says ------------------------------------------------------------------------------------------

    async def admitted(self, actor: Actor, last_seq: Any) -> None:
        """Somebody was let in, and greeted if they waited for it."""

    async def left(self, actor: Actor) -> None:
        """The connection of somebody who was let in has ended."""

    async def resumed(self, actor: Actor, last_seq: Any) -> None:
        """The client asks for what came after a sequence number."""

    async def on_message(self, actor: Actor, message: dict[str, Any]) -> None:
        """A client's frame that is none of the common ones; its `type` is a string. One at a time, in the order they came."""
        known = f"This socket knows auth, ping and resume, not '{message['type'][:40]}'."
        await self._complain("UNKNOWN_TYPE", known, self.word(message, "id"))

    def own_frame(self, kind: str, about: dict[str, Any]) -> dict[str, Any]:
        """A frame of this socket itself (pong, auth_ok, auth_expiring, replay_done), in its endpoint's shape."""
        return flat_frame(kind, about)

    def error_frame(self, code: str, message: str, about: Any = None, *, retryable: bool = False) -> dict[str, Any]:
        return self.own_frame("error", error_fields(code, message, about, retryable=retryable, request_id=self._id))

    def word(self, message: dict[str, Any], name: str, default: Any = None) -> Any:
        """A field of a client's common frame."""
        return message.get(name, default)

    # -- the socket ----------------------------------------------------------------------------------------------------

    async def dispatch(self, message: dict[str, Any]) -> None:
        # Channels' own first visits a thread to close old database connections; here only `in_thread` has any.
        await getattr(self, get_handler_name(message))(message)

    async def connect(self) -> None:
        global _open
        _open += 1
        self._id = str(uuid.uuid4())
        self._bad: deque[float] = deque(maxlen=BAD_FRAMES)
        self._dropped: deque[float] = deque(maxlen=DROPPED_FRAMES)
        self._tasks: set[asyncio.Task[None]] = set()
        self._expiry: asyncio.Task[None] | None = None
        self.heard_at = time.monotonic()
        self._query = dict(parse_qsl(self.scope["query_string"].decode("latin-1")))
        offered = self.scope.get("subprotocols", [])
        await self.accept(SUBPROTOCOL if SUBPROTOCOL in offered else None)
        await self._guarded(self._knock())

    async def disconnect(self, code: int) -> None:
        global _open
        _open -= 1
        self._closed = True
        for task in [*self._tasks, self._expiry]:
            if task is not None:
                task.cancel()
        if self.actor is not None:
            await WATCH.leave(self)
            await self.left(self.actor)
            await PLACES.leave(self.actor.user_id, self._id)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if self._closed:
            return
        self.heard_at = time.monotonic()
        if bytes_data is not None:
            await self._close(BINARY, "binary")
        elif text_data is None or len(text_data.encode()) > self.takes:
            await self._close(TOO_LARGE, "too_large")
        elif self.actor is None or await self._may_speak(self.actor):
            await self._guarded(self._handle(text_data))

    async def _may_speak(self, actor: Actor) -> bool:
        """Whether the user has a message left this minute. If not, this one is dropped, and said to be."""
        wait = await ALLOWANCE.take(actor.user_id)
        if not wait:
            return True
        if self._too_often(self._dropped):
            await self._guarded(_raise(Refusal("RATE_LIMIT_EXCEEDED", TOO_MANY, "The limit kept being exceeded.")))
            return False
        frame = self.error_frame("RATE_LIMIT_EXCEEDED", "1,000 messages a minute are the most.", retryable=True)
        fields = frame["data"] if isinstance(frame.get("data"), dict) else frame
        fields["retry_after"] = math.ceil(wait)
        await self._send(frame)
        return False

    async def _handle(self, text: str) -> None:
        try:
            message = orjson.loads(text)
        except orjson.JSONDecodeError:
            await self._complain("INVALID_JSON", "A frame is one JSON object.")
            return
        if not isinstance(message, dict) or not isinstance(message.get("type"), str):
            await self._complain("INVALID_MESSAGE", "A frame is a JSON object with a type.")
        elif too_deep(message):
            await self._complain("INVALID_MESSAGE", "A frame is at most 32 objects and lists deep.")
        elif message["type"] == "auth":
            await self._authenticate_again(message)
        elif self.actor is None:
            raise Refusal("NOT_AUTHENTICATED", NOT_AUTHENTICATED, "Send {type: auth, token} first.")
        elif message["type"] == "ping":
            about = self.word(message, "id", _UNSAID)
            await self._send(self.own_frame("pong", {"id": about} if about is not _UNSAID else {}))
        elif message["type"] == "resume":
            await self.resumed(self.actor, self.word(message, "last_seq"))
        else:
            await self.on_message(self.actor, message)

    # -- entering --------------------------------------------------------------------------------------------------------

    async def _knock(self) -> None:
        if _open > settings.SOCKETS["most"]:
            said = "This server has as many sockets as it takes. Come back in 5 to 30 seconds."
            raise Refusal("RATE_LIMIT_EXCEEDED", FULL, said, "server_full")
        credential = credential_of(self.scope)
        self.scope.get("credentials", {}).clear()
        if credential is None:
            self._begin(self._expect_first_frame())
        else:
            await self._let_in(credential, self._query.get("last_seq"))

    async def _expect_first_frame(self) -> None:
        await asyncio.sleep(FIRST_FRAME_SECONDS)
        if self.actor is None:
            said = "No auth frame came in time."
            raise Refusal("NOT_AUTHENTICATED", NOT_AUTHENTICATED, said, reason="auth_timeout")

    async def _authenticate_again(self, message: dict[str, Any]) -> None:
        token = self.word(message, "token")
        if not isinstance(token, str):
            raise Refusal("NOT_AUTHENTICATED", NOT_AUTHENTICATED, "auth needs a token.")
        credential = Credential("message", token)
        if self.actor is None:
            await self._let_in(credential, self.word(message, "last_seq", self._query.get("last_seq")))
            return
        entered = await in_thread(enter)(credential, self.scope["path"], address_of(self.scope))
        actor = entered.actor
        if (actor.user_id, actor.organization_id) != (self.actor.user_id, self.actor.organization_id):
            raise Refusal("FORBIDDEN", FORBIDDEN, "A socket stays with the user and the organization that opened it.")
        self.actor = actor
        self._expire(entered.until)
        await self._greet(entered)

    async def _let_in(self, credential: Credential, last_seq: Any) -> None:
        if credential.way in self.refuses:
            said = f"This socket takes no credentials by {credential.way}."
            raise Refusal("NOT_AUTHENTICATED", NOT_AUTHENTICATED, said)
        entered = await in_thread(enter)(credential, self.scope["path"], address_of(self.scope))
        if not await PLACES.take(entered.actor.user_id, self._id):
            said = f"Somebody has at most {CONNECTIONS} sockets open at once."
            raise Refusal("RATE_LIMIT_EXCEEDED", TOO_MANY, said, "too_many_connections")
        self.actor = entered.actor
        await WATCH.join(self)
        if credential.way == "message":
            await self._greet(entered)
        await self.admitted(entered.actor, last_seq)
        self._expire(entered.until)

    async def _greet(self, entered: Entered) -> None:
        about = {"user_id": str(entered.actor.user_id), "expires_at": written(entered.until), "session": self._id}
        await self._send(self.own_frame("auth_ok", about))

    def _expire(self, expires_at: dt.datetime) -> None:
        """Hold the socket to the token's time; a new token starts it anew."""
        if self._expiry is not None:
            self._expiry.cancel()
        self._expiry = asyncio.create_task(self._guarded(self._await_expiry(expires_at)))

    async def _await_expiry(self, expires_at: dt.datetime) -> None:
        left = (expires_at - dt.datetime.now(dt.UTC)).total_seconds()
        await asyncio.sleep(max(0.0, left - EXPIRY_NOTICE_SECONDS))
        await self._send(self.own_frame("auth_expiring", {"expires_at": written(expires_at)}))
        await asyncio.sleep(max(0.0, min(left, EXPIRY_NOTICE_SECONDS)))
        raise Refusal("TOKEN_EXPIRED", NOT_AUTHENTICATED, "The token has expired.")

    # -- saying ------------------------------------------------------------------------------------------------------------

    def _begin(self, action: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(self._guarded(action))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

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

    def end(self, refusal: Refusal) -> None:
        """The watch has a reason to close this socket."""
        if not self._closed:
            self._begin(_raise(refusal))

    async def _refuse(self, refusal: Refusal) -> None:
        retryable = refusal.close in (CRASHED, AWAY, FULL, TOO_MANY)
        frame = self.error_frame(refusal.code, refusal.message, retryable=retryable)
        try:
            # Somebody who does not read is not waited for.
            if refusal.code:
                await asyncio.wait_for(self._send(frame), FAREWELL_SECONDS)
        except TimeoutError:
            log.info("socket_error_unread", code=refusal.close)
        await self._close(refusal.close, refusal.reason)

    def _too_often(self, moments: deque[float]) -> bool:
        """Note one more, and tell whether as many as are borne came within a minute."""
        moments.append(time.monotonic())
        return len(moments) == moments.maxlen and moments[-1] - moments[0] < WINDOW_SECONDS

    async def _complain(self, code: str, message: str, about: Any = None) -> None:
        if self._too_often(self._bad):
            raise Refusal(code, MALFORMED, "Too many frames that could not be read.")
        await self._send(self.error_frame(code, message, about))

    async def _send(self, frame: dict[str, Any]) -> None:
        await self._write(text_of(frame))

    async def _write(self, text: str) -> None:
        if self._closed:
            return
        self.heard_at = time.monotonic()
        try:
            await self.send(text_data=text)
        except OSError:
            self._closed = True  # The peer is gone; its disconnect is on the way.

    async def _close(self, code: int, reason: str = "") -> None:
        if not self._closed:
            self._closed = True
            await self.close(code, reason)


async def _raise(refusal: Refusal) -> None:
    raise refusal
