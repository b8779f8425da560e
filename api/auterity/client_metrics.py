"""`metrics_update` of 001: every ten seconds the figures of `GET /api/monitoring/metrics`, read once for all clients."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module, util
from typing import Any, Protocol
from uuid import UUID

import structlog

from api.socket_watch import in_thread
from auterity.kernel.access import Actor, Permission

log = structlog.get_logger(__name__)

EVERY_SECONDS = 10.0
FOR_OPERATORS = ("system", "application")  # of the whole installation: for metrics:read only

Figures = dict[str, Any]


class Client(Protocol):
    actor: Actor | None

    def metrics(self, figures: Figures) -> None: ...


class Metrics:
    """Tells the clients of one process. Without the monitoring app there is nothing to tell."""

    def __init__(self, read: Callable[[Actor], Figures] | None) -> None:
        self.read = read
        self._clients: set[Client] = set()
        self._task: asyncio.Task[None] | None = None

    def join(self, client: Client) -> None:
        self._clients.add(client)
        if self.read is not None and self._task is None:
            self._task = asyncio.create_task(self._run(self.read))

    def leave(self, client: Client) -> None:
        self._clients.discard(client)
        if not self._clients and self._task is not None:
            self._task.cancel()
            self._task = None

    async def _run(self, read: Callable[[Actor], Figures]) -> None:
        while True:
            await asyncio.sleep(EVERY_SECONDS)
            by_organization: dict[UUID, list[Client]] = defaultdict(list)
            for client in self._clients:
                if client.actor is not None:
                    by_organization[client.actor.organization_id].append(client)
            for clients in by_organization.values():
                try:
                    figures = await in_thread(read)(clients[0].actor)
                except Exception as error:
                    # Whatever the database raises: the next figures come in ten seconds.
                    log.warning("metrics_not_read", error=type(error).__name__)
                    continue
                for client in clients:
                    if client.actor is not None:
                        client.metrics(_for(client.actor, figures))


def _for(actor: Actor, figures: Figures) -> Figures:
    if actor.may(Permission.METRICS_READ):
        return figures
    return {name: value for name, value in figures.items() if name not in FOR_OPERATORS}


def _reader() -> Callable[[Actor], Figures] | None:
    """As the REST endpoint answers, where the monitoring app is part of the product. `_for` takes out what not all may read."""
    if util.find_spec("monitoring") is None or util.find_spec("api.auterity.views.monitoring") is None:
        return None

    def read(actor: Actor) -> Figures:
        reader = replace(actor, permissions=actor.permissions | {Permission.METRICS_READ})
        found = import_module("monitoring.selectors").metrics(actor=reader)
        figures: Figures = import_module("api.auterity.views.monitoring").metrics_body(found).model_dump(mode="json")
        return figures

    return read


METRICS = Metrics(_reader())
