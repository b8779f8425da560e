"""Sockets of several web processes: real servers, a real worker, and a Redis that goes away."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import transaction

from api import socket_limits
from api.socket_limits import Allowance, Places, Shared
from auterity.kernel.live import LIVE
from executions import control, services
from tests.api.graphs import chain
from tests.api.people import Person
from tests.api.serving import Server, Socket, joined, refused
from tests.load.processes import Process, processes
from tests.load.servers import Broker, redis_binary

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgres, pytest.mark.timeout(240)]


class Web:
    """One of the web processes, asked as a client asks."""

    socket = Server.socket

    def __init__(self, process: Process) -> None:
        self.process, self.port = process, process.port


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Iterator[Broker]:
    """A Redis of the processes' own, which a test may stop."""
    binary = redis_binary()
    if binary is None:
        pytest.skip("There is no Redis on this machine to start.")
    broker = Broker(binary)
    monkeypatch.setenv("REDIS_URL", broker.url)
    yield broker
    broker.stop()


@pytest.fixture
def webs(transactional_db: None, broker: Broker) -> Iterator[list[Web]]:
    with processes("web", "web", "embedded", poll_seconds=0.2) as made:
        yield [Web(each) for each in made[:2]]


def executed(person: Person, *steps: str) -> str:
    workflow = person.api.made("/api/workflows", chain(*steps))
    accepted: str = person.api.made(f"/api/workflows/{workflow['id']}/execute", {"inputs": {"a": 1}})["execution_id"]
    return accepted


def paused(person: Person, *steps: str) -> str:
    """A run that does nothing until it is resumed."""
    workflow = person.api.made("/api/workflows", chain(*steps))
    with transaction.atomic():
        run = services.start(actor=person.actor, workflow_id=UUID(workflow["id"]), inputs={"a": 1})
        control.pause(actor=person.actor, execution_id=run.id)
    return str(run.id)


def until_last(socket: Socket) -> list[dict[str, Any]]:
    """The lines of an execution's socket up to its end."""
    found: list[dict[str, Any]] = []
    while not found or found[-1].get("event") != "ended":
        frame = socket.receive(20)
        if frame["type"] != "replay_done":
            found.append(frame)
    return found


def whole(socket: Socket, execution_id: str) -> bool:
    """Every line of an execution, on a socket of 001, in order."""
    found = 0
    until = time.monotonic() + 20
    while time.monotonic() < until:
        data = socket.receive(20)["data"]
        if data.get("execution_id") == execution_id:
            assert data["execution_seq"] == found + 1
            found += 1
            if data["status"] == "completed":
                return True
    return False


def test_a_run_of_a_worker_reaches_the_sockets_of_every_web_process(
    webs: list[Web], broker: Broker, ann: Person, token: str
) -> None:
    with ExitStack() as stack:
        clients = [stack.enter_context(each.socket("/ws/c", header=token)) for each in webs[:1]]
        clients += [stack.enter_context(each.socket("/ws/d", header=token)) for each in webs[1:]]
        for client in clients:
            assert client.receive()["type"] == "connected"
        LIVE._heard = (0.0, frozenset())  # This process asks anew who listens, as it does every second.
        run = paused(ann, "a", "b", "c")
        watching = [stack.enter_context(each.socket(f"/ws/executions/{run}?last_seq=0", header=token)) for each in webs]
        for socket in watching:
            joined(socket)
        control.resume(actor=ann.actor, execution_id=UUID(run))
        seen = [[each["seq"] for each in until_last(socket)] for socket in watching]
        assert seen[0] == seen[1] == list(range(1, len(seen[0]) + 1))
        for client in clients:
            assert whole(client, run)
        with webs[1].socket("/ws/c", header=token) as newer:  # In another process than the one it replaces.
            assert newer.receive()["type"] == "connected"
            assert clients[0].closed()[1] == 4409
            assert newer.ask({"type": "ping"})["type"] == "pong"

        second = paused(ann, "x", "y")
        broker.stop()
        late = [stack.enter_context(each.socket(f"/ws/executions/{second}?last_seq=0", header=token)) for each in webs]
        for socket in late:
            joined(socket)
        control.resume(actor=ann.actor, execution_id=UUID(second))
        for socket in late:
            seqs = [each["seq"] for each in until_last(socket)]
            assert seqs == list(range(1, len(seqs) + 1))
        assert whole(clients[1], second)
        broker.start()
        time.sleep(6.0)  # As long as a publisher leaves a Redis alone that was away.
        third = executed(ann, "u", "v")
        assert whole(clients[1], third)


def test_a_logout_is_heard_in_every_process_and_a_stop_is_1001(
    webs: list[Web], ann: Person, viewer: Person, path: str
) -> None:
    token, other = ann.tokens.access_token, viewer.tokens.access_token
    with (
        webs[0].socket(path, header=token) as one,
        webs[1].socket(path, header=token) as two,
        webs[1].socket(path, header=other) as three,
    ):
        for each in (one, two, three):
            joined(each)
        with webs[0].socket(path, header=other) as asking:
            joined(asking)
            login = json.dumps({"refresh_token": ann.tokens.refresh_token}).encode()
            assert call(webs[0], "/api/auth/logout", token, login) in (200, 204)
        refused(one, "NOT_AUTHENTICATED", 4401)
        refused(two, "NOT_AUTHENTICATED", 4401)
        webs[1].process.stop()
        assert three.closed()[1:] == (1001, "going_away")


def call(web: Web, path: str, token: str, body: bytes) -> int:
    from urllib.request import Request, urlopen

    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    with urlopen(Request(f"http://127.0.0.1:{web.port}{path}", body, headers)) as answer:
        status: int = answer.status
    return status


async def test_places_and_messages_are_counted_over_all_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket_limits, "PLACE_SECONDS", 2.0)
    user = uuid4()
    one, other = Places(Shared()), Places(Shared())
    for at in range(12):
        assert await one.take(user, f"one-{at}")
    for at in range(8):
        assert await other.take(user, f"other-{at}")
    assert not await other.take(user, "one too many")
    await one.leave(user, "one-0")
    assert await other.take(user, "in its place")
    assert not await one.take(user, "again too many")
    until = time.monotonic() + 10
    while not await other.take(user, "after a kill"):  # `one` is killed: nobody keeps its places.
        await other.keep()
        assert time.monotonic() < until
        time.sleep(0.2)
    here, there = Allowance(Shared()), Allowance(Shared())
    passed = [await (here, there)[at % 2].take(user) for at in range(130)]
    assert passed[:100] == [0.0] * 100
    assert sum(each == 0.0 for each in passed) < 130
    assert all(0 < each <= 0.06 for each in passed if each)


async def test_without_redis_each_process_counts_its_own(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    places, user = Places(Shared()), uuid4()
    assert [await places.take(user, str(at)) for at in range(21)] == [True] * 20 + [False]
    assert await Allowance(Shared()).take(user) == 0.0
