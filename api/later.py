"""Answers that are finished once something has happened, without holding one of the server's few threads meanwhile."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from rest_framework.response import Response

from auterity.kernel.live import LIVE, Fact

_FIRST_LOOK = 0.05  # seconds; facts come sooner, looks are for those that were lost
_LAST_LOOK = 0.5


@dataclass(frozen=True, slots=True)
class Later:
    """Wait up to `seconds` for a fact of the topic that is `wanted`, or until `happened` says so of the database.

    `happened` and `finish` run on a thread. `finish` changes the response's data and status to what is so by then.
    """

    topic: str
    wanted: Callable[[Fact], bool]
    happened: Callable[[], bool]
    finish: Callable[[], None]
    seconds: float

    async def wait(self, on_thread: Callable[[Callable[[], bool]], Awaitable[bool]]) -> None:
        heard = asyncio.Event()

        def watcher(fact: Fact) -> None:
            if self.wanted(fact):
                heard.set()

        until, pause = time.monotonic() + self.seconds, _FIRST_LOOK
        await LIVE.watch(self.topic, watcher)
        try:
            while not await on_thread(self.happened) and (left := until - time.monotonic()) > 0:
                try:
                    await asyncio.wait_for(heard.wait(), min(pause, left))
                    heard.clear()
                except TimeoutError:
                    pause = min(pause * 1.5, _LAST_LOOK)
        finally:
            await LIVE.unwatch(self.topic, watcher)


def answer_later(request: HttpRequest, response: Response, later: Later) -> None:
    """Let the server wait between two of its threads' turns; where it cannot, as in a test client, wait here."""
    if getattr(request, "waits_outside", False):
        response.later = later  # type: ignore[attr-defined]  # Found by `auterity.http`.
        return
    until = time.monotonic() + later.seconds
    while not later.happened() and time.monotonic() < until:
        time.sleep(0.01)
    later.finish()


def finished(response: Any) -> Any:
    """The response with what `finish` put into it. Called on a thread, after everything that dresses answers."""
    response.later.finish()
    response.content = response.rendered_content
    if response.has_header("Content-Length"):
        response["Content-Length"] = str(len(response.content))
    return response
