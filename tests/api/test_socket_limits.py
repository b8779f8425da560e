"""How much one user may do, and how much a slow or hostile client gets (`websockets.yaml`, limits)."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import orjson
import pytest
from websockets.frames import Frame, Opcode

from api import socket_connection, socket_limits, socket_outbox
from api.auterity.consumers import ExecutionConsumer
from auterity import server as serving
from auterity.kernel.live import LIVE
from tests.api.people import Person, founder
from tests.api.serving import Server, joined, refused

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def nobody_has_said_anything() -> None:
    socket_limits.ALLOWANCE._own.clear()


def test_a_user_has_a_burst_over_all_sockets_and_then_a_rate(server: Server, path: str, token: str) -> None:
    assert (round(socket_limits.RATE * 60), socket_limits.BURST) == (1000, 100)
    with server.socket(path, header=token) as one, server.socket(path, header=token) as other:
        joined(one)
        joined(other)
        for at in range(120):
            (one if at % 2 else other).send({"type": "ping", "id": at})
        answers = [socket.receive() for _ in range(60) for socket in (one, other)]
        dropped = [each for each in answers if each["type"] == "error"]
        assert len(dropped) < 21  # It refills meanwhile.
        for each in dropped:
            assert (each["code"], each["retryable"], each["retry_after"]) == ("RATE_LIMIT_EXCEEDED", True, 1)
        time.sleep(1.0)
        assert one.ask({"type": "ping"})["type"] == "pong"


def test_who_keeps_on_is_closed_with_4429(
    server: Server, path: str, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert socket_connection.DROPPED_FRAMES == 50
    monkeypatch.setattr(socket_limits, "RATE", 0.001)
    monkeypatch.setattr(socket_limits, "BURST", 5)
    with server.socket(path, header=token) as socket:
        joined(socket)
        for at in range(80):
            socket.send({"type": "ping", "id": at})
        frames, code, reason = socket.closed()
    kinds = [each["type"] for each in frames]
    assert (kinds, code, reason) == (["pong"] * 5 + ["error"] * 50, 4429, "rate_limit_exceeded")
    assert {each["code"] for each in frames[5:]} == {"RATE_LIMIT_EXCEEDED"}


def test_the_21st_connection_is_refused_until_one_ends(server: Server, ann: Person, path: str, token: str) -> None:
    with ExitStack() as stack:
        opened = [stack.enter_context(server.socket(path, header=token)) for _ in range(20)]
        for each in opened:
            joined(each)
        with server.socket(path, header=token) as more:
            refused(more, "RATE_LIMIT_EXCEEDED", 4429)
        other = founder("other@example.com", "Others")
        with server.socket("/ws/other", header=other.tokens.access_token) as theirs:
            assert theirs.receive()["type"] == "connected"
        opened[0].connection.close()
        until = time.monotonic() + 5
        while True:
            with server.socket(path, header=token) as again:
                if again.receive()["type"] == "execution_snapshot":
                    break
            assert time.monotonic() < until


def test_a_full_server_says_1013(server: Server, path: str, token: str, settings: Any) -> None:
    settings.SOCKETS = {"most": 1}
    with server.socket(path, header=token) as first:
        joined(first)
        with server.socket(path, header=token) as second:
            assert refused(second, "RATE_LIMIT_EXCEEDED", 1013)["retryable"]


def test_bad_frames_are_counted_by_the_minute(
    server: Server, path: str, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket_connection, "WINDOW_SECONDS", 0.3)
    with server.socket(path, header=token) as socket:
        joined(socket)
        for _ in range(12):
            assert socket.ask("{")["code"] == "INVALID_JSON"
            time.sleep(0.05)
        assert socket.ask({"type": "ping"})["type"] == "pong"


def nested(depth: int) -> dict[str, Any]:
    value: Any = 1
    for _ in range(depth - 1):
        value = [value]
    return {"type": "ping", "id": 1, "more": value}


def test_a_frame_is_at_most_32_deep(server: Server, path: str, token: str) -> None:
    with server.socket(path, header=token) as socket:
        joined(socket)
        assert socket.ask(nested(32))["type"] == "pong"
        assert socket.ask(nested(33))["code"] == "INVALID_MESSAGE"
        assert socket.ask("[" * 30_000 + "]" * 30_000)["type"] == "error"


def test_what_is_no_utf_8_is_1007(server: Server, path: str, token: str) -> None:
    with server.socket(path, header=token) as socket:
        joined(socket)
        with socket.connection.protocol_mutex:
            wire = Frame(Opcode.TEXT, b'{"type": "\xff"}').serialize(mask=True)
        socket.connection.socket.sendall(wire)
        assert socket.closed()[1] == 1007


def test_more_than_any_socket_takes_is_1009(server: Server, path: str, token: str) -> None:
    with server.socket(path, header=token) as socket:
        joined(socket)
        socket.send('"' + "x" * 200_000 + '"')
        assert socket.closed()[1] == 1009


def test_a_slow_reader_is_let_go_and_holds_up_nobody(
    server: Server, run: str, path: str, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Large frames, as many as fit nowhere: the reader gets all of them, the one who does not read is closed."""
    large = "x" * 60_000

    def frame(self: Any, fact: Any) -> dict[str, Any]:
        return {"type": "execution_status", "seq": fact["seq"], "status": "running", "large": large}

    def fact(seq: int) -> dict[str, Any]:
        return {"execution_id": run, "seq": seq, "status": "running", "kind": "note"}

    monkeypatch.setattr(ExecutionConsumer, "frame", frame)
    monkeypatch.setattr(ExecutionConsumer, "missed", lambda self, actor, seq: [])
    monkeypatch.setattr(serving, "FAREWELL_SECONDS", 0.2)
    assert (socket_outbox.OUTBOUND_FRAMES, socket_outbox.OUTBOUND_BYTES) == (256, 1024 * 1024)
    slow = server.raw_socket(path, token)
    begun = b""
    while b'"execution_status"' not in begun:  # It has joined; from here on it reads nothing.
        begun += slow.recv(4096)
    with server.socket(path, header=token) as reader:
        joined(reader)
        for seq in range(1, 801):
            LIVE.publish([(f"execution:{run}", fact(seq))])
            assert reader.receive()["seq"] == seq
    slow.settimeout(10)
    received = bytearray()
    try:
        while part := slow.recv(1 << 20):
            received += part
    except ConnectionResetError:
        pass
    slow.close()
    assert (
        received.count(large.encode()) < 500
    )  # The system's own buffers took the beginning; nothing of ours kept the rest.


def test_of_replaceable_frames_the_latest_is_sent_at_most_four_a_second(
    server: Server, run: str, path: str, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ExecutionConsumer, "frame", lambda self, fact: dict(fact))
    monkeypatch.setattr(ExecutionConsumer, "key_of", lambda self, fact: fact["type"])
    with server.socket(path, header=token) as socket:
        joined(socket)
        for at in range(1000):
            LIVE.publish([(f"execution:{run}", {"type": "progress", "at": at})])
            if at % 100 == 0:
                time.sleep(0.06)
        found = [socket.receive()]
        while found[-1]["at"] != 999:
            found.append(socket.receive())
    assert len(found) <= 6
    assert [each["at"] for each in found] == sorted({each["at"] for each in found})


def test_a_frame_that_is_too_large_goes_without_what_makes_it_so(
    server: Server, ann: Person, path: str, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot: Callable[..., Any] = ExecutionConsumer.snapshot

    def large(self: Any, actor: Any) -> Any:
        frames, seq, ended = snapshot(self, actor)
        frames[0]["execution"]["output_data"] = "x" * 1024 * 1024
        return frames, seq, ended

    monkeypatch.setattr(ExecutionConsumer, "snapshot", large)
    with server.socket(path, header=token) as socket:
        frame, _ = joined(socket)
    assert len(orjson.dumps(frame)) < 1024 * 1024
    assert frame["omitted"] == ["execution"]
    assert ann.api.get(frame["link"]).status_code == 200
