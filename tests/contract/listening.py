"""Plays one socket of the contract: joins, lets something happen, and says which frame did not come as it is written."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import Any

from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.sync.client import ClientConnection, connect

from tests.contract.contracts import CONTRACTS
from tests.contract.player import filled
from tests.contract.stages import Stage
from tests.contract.world import World

KINDS = CONTRACTS["auterity"].kinds
SOCKETS = CONTRACTS["auterity"].sockets
SECONDS = 15.0


def listen(world: World, socket: Mapping[str, Any]) -> list[str] | None:
    """What is not as documented; None when nobody is at this address."""
    stage = Stage(world, world.caller("admin"))
    if "stage" in socket:
        stage.set(socket["stage"])
    address = world.product.url.replace("http", "ws") + socket["path"].format_map(_Values(stage))
    with ExitStack() as opened:
        try:
            first = opened.enter_context(_joined(address, stage.who.token))
            frames = [json.loads(first.recv(timeout=SECONDS))]
        except (InvalidHandshake, ConnectionClosed):
            return None
        if frames[0]["type"] == "error":
            return None
        if "sends" in socket:
            second = opened.enter_context(_joined(address, stage.who.token))
            second.send(json.dumps(filled(stage, socket["sends"])))
        if socket.get("does") == "run":
            stage.who.made(f"/api/workflows/{stage.value('workflow_id')}/execute", {})
        if socket.get("does") == "fail":
            stage.run_that_fails()
        frames += _until_all(first, set(socket["frames"]) - {frames[0]["type"]})
    return list(_wrong(socket["frames"], frames))


class _Values(dict[str, Any]):
    def __init__(self, stage: Stage) -> None:
        super().__init__()
        self._stage = stage

    def __missing__(self, name: str) -> str:
        return str(self._stage.value(name))


def _joined(address: str, token: str) -> ClientConnection:
    """As 001 writes it: the token in the query, where every client can put one."""
    return connect(f"{address}?token={token}", proxy=None, open_timeout=SECONDS, max_size=None)


def _until_all(connection: ClientConnection, wanted: set[str]) -> Iterator[dict[str, Any]]:
    until = time.monotonic() + SECONDS
    while wanted and time.monotonic() < until:
        try:
            frame = json.loads(connection.recv(timeout=until - time.monotonic()))
        except (TimeoutError, ConnectionClosed):
            return
        wanted.discard(frame["type"])
        yield frame


def _wrong(documented: Mapping[str, Any], frames: list[dict[str, Any]]) -> Iterator[str]:
    for name, kind in documented.items():
        came = [frame for frame in frames if frame["type"] == name]
        if not came:
            yield f"no {name} came, only {sorted({frame['type'] for frame in frames})}"
        for frame in came:
            yield from (f"{name}: {each}" for each in KINDS.wrong(frame, kind))
