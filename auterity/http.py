"""HTTP from the event loop to Django and back in one hop to a thread.

Django's own ASGI handler is asynchronous to the core: with synchronous views it crosses between the loop and a new thread
several times a request, and a new thread means a new database connection. Ours runs the whole synchronous chain on a fixed
pool of threads, each of which keeps its connection.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import Awaitable, Callable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from typing import IO, Any

from django.conf import settings
from django.core.exceptions import RequestAborted, RequestDataTooBig
from django.core.handlers.asgi import ASGIHandler, get_script_prefix
from django.core.handlers.base import BaseHandler
from django.core.signals import request_started
from django.http.response import HttpResponseBase
from django.urls import set_script_prefix

from api.base import refused

MAX_BODY_BYTES = 8 * 1024 * 1024

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]


class ThreadedHandler(ASGIHandler):
    """Bodies are received before and answered after the hop, whole; nothing here streams for minutes."""

    def __init__(self) -> None:
        BaseHandler.__init__(self)
        self.load_middleware(is_async=False)
        self._threads = ThreadPoolExecutor(settings.WEB_THREADS, thread_name_prefix="web")

    async def __call__(self, scope: Message, receive: Any, send: Send) -> None:
        try:
            body = await self.read_body(_bounded(receive))
        except RequestAborted:
            return
        except RequestDataTooBig:
            body = None
        try:
            loop = asyncio.get_running_loop()
            status, headers, content = await loop.run_in_executor(self._threads, self._answer, scope, body)
        finally:
            if body is not None:
                body.close()
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    def _answer(self, scope: Message, body: IO[bytes] | None) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
        """Status, headers and content. Without a body, it was larger than anything here takes."""
        set_script_prefix(get_script_prefix(scope))
        request_started.send(sender=self.__class__, scope=scope)
        request, unreadable = self.create_request(scope, body or io.BytesIO())
        response: Any
        if request is None:
            response = unreadable
        elif body is None:
            response = refused(request, RequestDataTooBig())
        else:
            response = self.get_response(request)
        response._handler_class = self.__class__  # Django's handlers set it; `close` signals by it.
        try:
            content = b"".join(response)
            return response.status_code, _headers(response), content
        finally:
            response.close()


def _bounded(receive: Callable[[], Awaitable[Message]]) -> Callable[[], Awaitable[Message]]:
    """The same messages, until their bodies add up to more than any of our parsers takes."""
    received = 0

    async def counted() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > MAX_BODY_BYTES:
            raise RequestDataTooBig
        return message

    return counted


def _headers(response: HttpResponseBase) -> list[tuple[bytes, bytes]]:
    plain = [(name.lower().encode("ascii"), str(value).encode("latin-1")) for name, value in response.items()]
    cookies = [(b"set-cookie", each.output(header="").strip().encode("ascii")) for each in response.cookies.values()]
    return plain + cookies
