"""The embedded mode's worker: a runner inside the serving process, started and stopped with the server."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings

from auterity.kernel.memory import settle_in
from auterity.kernel.ticks import TICKS
from executions.hints import HINTS
from executions.runner import Runner

Message = MutableMapping[str, Any]
App = Callable[[Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]]


def start_runner() -> Runner:
    """A runner for this process; hints go straight to it."""
    runner = Runner()
    HINTS.use(runner)
    runner.start()
    return runner


def stop_runner(runner: Runner) -> None:
    HINTS.use(None)
    runner.stop()


def with_lifespan(app: App) -> App:
    """Answer the ASGI lifespan protocol, which Django and Channels do not; embedded, the runner lives as long as the server."""

    async def wrapped(scope: Message, receive: Any, send: Any) -> None:
        if scope["type"] != "lifespan":
            await app(scope, receive, send)
            return
        runner: Runner | None = None
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                settle_in()
                TICKS.start()
                if settings.EMBEDDED:
                    runner = await sync_to_async(start_runner)()
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                if runner is not None:
                    await sync_to_async(stop_runner)(runner)
                await sync_to_async(TICKS.stop)()
                await send({"type": "lifespan.shutdown.complete"})
                return

    return wrapped
