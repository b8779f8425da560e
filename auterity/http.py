"""HTTP from the event loop to Django and back in one hop to a thread.

Django's own ASGI handler is asynchronous to the core: with synchronous views it crosses between the loop and a new thread
several times a request, and a new thread means a new database connection. Ours runs the whole synchronous chain on a fixed
pool of threads, each of which keeps its connection.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from typing import IO, Any, TypeVar

from django.conf import settings
from django.core.exceptions import RequestAborted, RequestDataTooBig
from django.core.handlers.asgi import ASGIHandler, get_script_prefix
from django.core.handlers.base import BaseHandler
from django.core.signals import request_started
from django.db import close_old_connections
from django.http.response import HttpResponseBase
from django.urls import set_script_prefix
from django.utils import timezone

from accounts import tokens
from accounts.tokens import TokenKind
from api.later import finished
from api.uploads import ENVELOPE_BYTES
from auterity.kernel.errors import DomainError

MAX_BODY_BYTES = 8 * 1024 * 1024
PIECE_BYTES = 256 * 1024
UPLOADS = ("POST", "/api/files")

_Got = TypeVar("_Got")
Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]


class ThreadedHandler(ASGIHandler):
    """Bodies are received whole before the hop, large ones on disk; answers are sent whole, files a piece at a time."""

    def __init__(self) -> None:
        BaseHandler.__init__(self)
        self.load_middleware(is_async=False)
        self._threads = ThreadPoolExecutor(settings.WEB_THREADS, thread_name_prefix="web")

    async def __call__(self, scope: Message, receive: Any, send: Send) -> None:
        try:
            most = _most(scope)
            body = None if _announced(scope) > most else await self.read_body(_bounded(receive, most))
        except RequestAborted:
            return
        except RequestDataTooBig:
            body = None
        loop = asyncio.get_running_loop()
        try:
            response = await loop.run_in_executor(self._threads, self._answer, scope, body)
            if (later := getattr(response, "later", None)) is not None:
                await later.wait(lambda look: loop.run_in_executor(self._threads, _fresh, look))
                response = await loop.run_in_executor(self._threads, _fresh, lambda: finished(response))
        finally:
            if body is not None:
                body.close()
        start = {"type": "http.response.start", "status": response.status_code, "headers": _headers(response)}
        if not response.streaming:
            await send(start)
            await send({"type": "http.response.body", "body": response.content})
            return
        try:
            await send(start)
            pieces = iter(response)
            while piece := await loop.run_in_executor(self._threads, _piece_of, pieces):
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        finally:
            # The storage is let go of on a thread too, also when the client has hung up.
            await asyncio.shield(loop.run_in_executor(self._threads, response.close))

    def _answer(self, scope: Message, body: IO[bytes] | None) -> Any:
        """The response, closed unless it streams. Without a body, it was larger than anything at this address takes."""
        set_script_prefix(get_script_prefix(scope))
        request_started.send(sender=self.__class__, scope=scope)
        request, unreadable = self.create_request(scope, body or io.BytesIO())
        response: Any
        if request is None:
            response = unreadable
        else:
            # Answered by `api.caching`, behind what every answer passes.
            request.body_refused = body is None  # type: ignore[attr-defined]
            request.waits_outside = True  # type: ignore[attr-defined]  # See `api.later`.
            response = self.get_response(request)
        response._handler_class = self.__class__  # Django's handlers set it; `close` signals by it.
        if not response.streaming:
            response.close()
        return response


def _fresh(act: Callable[[], _Got]) -> _Got:
    """Outside a request's own turn: on a database connection that is looked at before and after, as a request's is."""
    close_old_connections()
    try:
        return act()
    finally:
        close_old_connections()


def _piece_of(pieces: Iterator[bytes]) -> bytes:
    """What comes next, some 256 KiB: static files come in pieces too small for a hop each. b"" at the end."""
    held: list[bytes] = []
    size = 0
    for piece in pieces:
        held.append(piece)
        size += len(piece)
        if size >= PIECE_BYTES:
            break
    return b"".join(held)


def _most(scope: Message) -> int:
    """Bytes of a body at this address. Only who brings a token of ours may send a file; whose it is is seen later."""
    headers = dict(scope["headers"])
    if (scope["method"], scope["path"].rstrip("/")) == UPLOADS and _has_token(headers.get(b"authorization", b"")):
        return int(settings.ARTEFACTS["max_upload_bytes"]) + ENVELOPE_BYTES
    return MAX_BODY_BYTES


def _has_token(header: bytes) -> bool:
    scheme, _, token = header.decode("latin-1").partition(" ")
    try:
        tokens.read(token.strip(), TokenKind.ACCESS, now=timezone.now())
    except DomainError:
        return False
    return scheme.lower() == "bearer"


def _announced(scope: Message) -> int:
    """Bytes of the body by its header: what is too much is refused before any of it is taken."""
    length = dict(scope["headers"]).get(b"content-length", b"")
    return int(length) if length.isdigit() and len(length) < 20 else 0


def _bounded(receive: Callable[[], Awaitable[Message]], most: int) -> Callable[[], Awaitable[Message]]:
    """The same messages, until their bodies add up to more than is taken."""
    received = 0

    async def counted() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > most:
            raise RequestDataTooBig
        return message

    return counted


def _headers(response: HttpResponseBase) -> list[tuple[bytes, bytes]]:
    plain = [(name.lower().encode("ascii"), str(value).encode("latin-1")) for name, value in response.items()]
    cookies = [(b"set-cookie", each.output(header="").strip().encode("ascii")) for each in response.cookies.values()]
    return plain + cookies
