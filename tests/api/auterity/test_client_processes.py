"""Clients of several web processes, which are killed, stopped and started again: one order of frames, and none is lost."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any
from uuid import UUID, uuid4

import pytest

from api.auterity import organization_feed, organization_log
from api.auterity.client_filter import Filter
from api.auterity.organization_feed import OrganizationFeed
from api.auterity.organization_log import Event
from api.socket_watch import in_thread
from auterity.kernel.live import LIVE
from executions.live import fact_of
from executions.models import Execution, ExecutionLog, LogKind
from tests.api.people import Person
from tests.api.serving import Socket
from tests.api.test_socket_clients import seqs, started
from tests.api.test_socket_processes import Web
from tests.load.processes import processes
from tests.load.servers import Broker, redis_binary

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(600)]

Frames = list[dict[str, Any]]


@pytest.fixture
def broker(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Broker]:
    """A Redis of the processes' own, which a test may empty."""
    binary = redis_binary()
    if binary is None:
        pytest.skip("There is no Redis on this machine to start.")
    broker = Broker(binary)
    monkeypatch.setenv("REDIS_URL", broker.url)
    yield broker
    broker.stop()


def joined(socket: Socket) -> dict[str, Any]:
    frame = socket.receive()
    assert frame["type"] == "connected", frame
    return frame


def durable(socket: Socket) -> dict[str, Any]:
    """The next frame that counts."""
    frame = socket.receive(60)
    while frame["type"] == "metrics_update":
        frame = socket.receive(60)
    return frame


def until_completed(socket: Socket, *runs: str) -> Frames:
    """Frames up to the last of these runs that ends."""
    found: Frames = []
    left = set(runs)
    while left:
        found.append(durable(socket))
        if found[-1]["data"].get("status") == "completed":
            left.discard(found[-1]["data"]["execution_id"])
    return found


def resumed(web: Web, token: str, last_seq: int, client_id: str = "c") -> tuple[dict[str, Any], Frames]:
    with web.socket(f"/ws/{client_id}", header=token, query=f"?last_seq={last_seq}") as socket:
        hello = joined(socket)
        frames = [durable(socket)]
        while frames[-1]["type"] != "replay_done":
            frames.append(durable(socket))
    return hello, frames[:-1]


def done(*runs: str) -> None:
    until = time.monotonic() + 60
    while Execution.unscoped.filter(id__in=runs, status="completed").count() < len(runs):
        assert time.monotonic() < until, "the worker did not run them"
        time.sleep(0.05)


def lines_of(run: str) -> list[int]:
    lines = ExecutionLog.unscoped.filter(execution_id=run).exclude(kind=LogKind.NOTE)
    return list(lines.order_by("seq").values_list("seq", flat=True))


def about(frames: Frames, run: str) -> list[int]:
    return [each["data"]["execution_seq"] for each in frames if each["data"]["execution_id"] == run]


def check_killed(made: list[Any], ann: Person, token: str) -> None:
    web = Web(made[0])
    with web.socket("/ws/c", header=token) as socket:
        stream_id = joined(socket)["data"]["stream_id"]
        first = started(ann, "a", "b", name="First")
        seen = until_completed(socket, first)
        web.process.kill()
    second, third = started(ann, "x", "y", name="Second"), started(ann, "z", name="Third")
    done(second, third)
    web.process.start()
    web.process.wait_until_listening()
    hello, frames = resumed(web, token, len(seen))
    assert hello["data"]["stream_id"] == stream_id
    assert seqs(seen + frames) == list(range(1, len(seen) + len(frames) + 1))
    assert about(seen, first) == lines_of(first)
    assert (about(frames, second), about(frames, third)) == (lines_of(second), lines_of(third))
    web.process.kill()
    web.process.start()
    web.process.wait_until_listening()
    for _ in range(2):  # However often it asks.
        again, whole = resumed(web, token, 0)
        assert (again["data"], whole) == (hello["data"], seen + frames)


def test_a_client_of_the_only_web_server_comes_back_after_a_kill(
    transactional_db: None, ann: Person, token: str, settings: Any
) -> None:
    """A worker goes on while there is no web server at all."""
    if not settings.EMBEDDED:
        pytest.skip("The next one is its counterpart.")
    with processes("web", "embedded", poll_seconds=0.2) as made:
        check_killed(made, ann, token)


@pytest.mark.postgres
def test_a_client_comes_back_after_a_kill_and_an_empty_redis(broker: Broker, ann: Person, token: str) -> None:
    with processes("web", "celery", "embedded", poll_seconds=0.2) as made:
        check_killed(made, ann, token)
        broker.empty()
        hello, whole = resumed(Web(made[0]), token, 0)
        assert len(whole) == hello["seq"]


@pytest.mark.postgres
def test_a_client_goes_from_process_to_process(broker: Broker, ann: Person, token: str) -> None:
    with processes("web", "web", "embedded", poll_seconds=0.2) as made, ExitStack() as stack:
        one, other = Web(made[0]), Web(made[1])
        witness = stack.enter_context(other.socket("/ws/w", header=token))
        joined(witness)
        with one.socket("/ws/c", header=token) as socket:
            stream_id = joined(socket)["data"]["stream_id"]
            runs = [started(ann, "a", "b", "c", name=f"Run {at}") for at in range(4)]
            seen = until_completed(socket, *runs)
            heard = until_completed(witness, *runs)
            assert seen == heard  # One order, and so the same numbers: both began before anything happened.
        missed = started(ann, "x", name="Missed")
        heard += until_completed(witness, missed)
        hello, frames = resumed(other, token, len(seen))
        assert hello["data"]["stream_id"] == stream_id
        assert seen + frames == heard
        seen += frames

        with one.socket("/ws/c", header=token, query=f"?last_seq={len(seen)}") as socket:
            joined(socket)
            assert durable(socket)["type"] == "replay_done"
            narrow = started(ann, "n", name="Narrow")
            seen += until_completed(socket, narrow)
            watched = started(ann, "u", "v", name="Watched")
            wish = {"events": ["execution_log"], "execution_ids": [watched]}
            before = []
            socket.send({"type": "subscribe", "data": wish})
            while (frame := durable(socket))["type"] != "subscribed":
                before.append(frame)
            done(watched)
            unheard = started(ann, "w", name="Unheard")
            done(unheard)
            made[0].kill()
        # What the killed process still sent is not known here; the other one counts it all again.
        hello, whole = resumed(other, token, 0)
        assert hello["data"]["stream_id"] == stream_id
        assert whole[: len(seen) + len(before)] == seen + before
        assert seqs(whole) == list(range(1, hello["seq"] + 1))
        assert unheard not in str(whole)
        assert {each["type"] for each in whole[len(seen) + len(before) :]} <= {"execution_log"}
        assert resumed(other, token, 3)[1] == whole[3:]
        with other.socket("/ws/c", header=token, query="?last_seq=999999") as socket:
            joined(socket)
            assert durable(socket)["data"]["code"] == "SEQ_UNAVAILABLE"
        made[0].start()
        made[0].wait_until_listening()
        assert resumed(one, token, 0)[1] == whole


# -- one order ---------------------------------------------------------------------------------------------------------------


class Recorder:
    """A listener that keeps what it hears."""

    def __init__(self) -> None:
        self.id, self.filter, self.seq, self.passed = uuid4(), Filter({}), 0, 0
        self.events: list[Event] = []

    def on_events(self, events: list[Event]) -> None:
        self.events += events

    def on_lost(self) -> None:
        raise AssertionError("nothing was deleted")

    def on_moved(self) -> None:
        raise AssertionError("nobody has moved")


def committed(run: Execution, seq: int) -> dict[str, Any]:
    line = ExecutionLog(
        organization_id=run.organization_id, execution_id=run.id, workflow_id=run.workflow_id, seq=seq,
        kind=LogKind.STEP_STARTED, message=f"line {seq}", status="running", progress=0.0,
    )  # fmt: skip
    line.save(force_insert=True)
    line.refresh_from_db()
    return fact_of(line)


def write_all(runs: list[Execution], lines: int, feeds: list[OrganizationFeed], loop: Any) -> None:
    """Lines of all runs; each process hears some of them, and some not in their order."""
    came = {run.id: ExecutionLog.unscoped.filter(execution_id=run.id).count() for run in runs}
    late: list[dict[str, Any]] = []
    for _ in range(lines):
        run = random.choice(runs)
        came[run.id] += 1
        late.append(committed(run, came[run.id]))
        for feed in feeds:
            for fact in random.sample(late, len(late)):
                if random.random() < 0.6:
                    loop.call_soon_threadsafe(feed._on_line, fact)
        if random.random() < 0.5:
            late.clear()


async def raced(organization_id: UUID, runs: list[Execution], lines: int) -> list[list[Event]]:
    feeds = [OrganizationFeed(organization_id) for _ in range(3)]
    recorders = [Recorder() for _ in feeds]
    await asyncio.gather(*(each.open() for each in feeds))
    for feed, recorder in zip(feeds, recorders, strict=True):
        await feed.join(recorder, 2)  # Before it there is nothing but the log's beginning.
    try:
        async with asyncio.timeout(100):
            await in_thread(write_all)(runs, lines, feeds, asyncio.get_running_loop())
            while min(len(each.events) for each in recorders) < lines:
                await asyncio.sleep(0.02)
        for feed in feeds:
            await feed.catch_up()
    finally:
        for feed in feeds:
            await feed.close()
        await asyncio.sleep(0)
    return [each.events for each in recorders]


def test_processes_that_append_at_once_have_one_order(ann: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(organization_feed, "LOOK_SECONDS", 0.2)
    monkeypatch.setattr(organization_feed, "WINDOW_SECONDS", (0.0, 0.004))
    ids = [started(ann, "a", name=f"Run {at}") for at in range(6)]
    runs = list(Execution.unscoped.filter(id__in=ids))
    first, *others = asyncio.run(raced(ann.actor.organization_id, runs, 150))
    assert all(each == first for each in others)
    assert len(first) == 150
    for run in ids:
        heard = [fact["seq"] for _, fact in first if fact["execution_id"] == run]
        assert heard == list(range(heard[0], heard[0] + len(heard)))
    kept: list[Event] = []
    number = 1
    while page := organization_log.page(ann.actor.organization_id, number):
        kept += [event for _, events in page for event in events]
        number = page[-1][0].number
    assert kept == first
    LIVE._loop = None
