"""What is seen of an execution: live, over a reconnect, and at its end (`websockets.yaml`, ws.executions)."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest
from django.conf import settings
from django.db import connection

from api import socket_watch, sockets
from auterity.embedded import start_runner, stop_runner
from tests.api.people import Person
from tests.api.serving import Server, joined
from tests.api.shapes import STATUS_FRAME, wrong

pytestmark = pytest.mark.django_db(transaction=True)


def test_live_frames_are_gapless_to_the_end(server: Server, ann: Person, run: str, path: str, token: str) -> None:
    with server.socket(path, header=token) as socket:
        joined(socket)
        runner = start_runner()
        try:
            frames = socket.until_ended()
        finally:
            stop_runner(runner)
        assert socket.silent()  # Nothing follows the last one.
    assert [each["seq"] for each in frames] == list(range(1, len(frames) + 1))
    for each in frames:
        assert wrong(each, STATUS_FRAME) == []
        assert each["execution_id"] == run
    progress = [each["progress"] for each in frames]
    assert progress == sorted(progress)
    assert (frames[-1]["status"], progress[-1]) == ("completed", 100)
    assert "c" in {each.get("current_step") for each in frames}
    found = ann.api.get(f"/api/workflows/executions/{run}").json()
    assert (found["status"], found["progress"]) == ("completed", 100)


def test_two_watchers_get_the_same_frames(server: Server, viewer: Person, path: str, token: str) -> None:
    with server.socket(path, header=token) as one, server.socket(path, header=viewer.tokens.access_token) as other:
        joined(one)
        joined(other)
        runner = start_runner()
        try:
            assert one.until_ended() == other.until_ended()
        finally:
            stop_runner(runner)


def test_whoever_comes_back_gets_exactly_what_they_missed(
    server: Server, ann: Person, worker: None, run: str, path: str, token: str, ended: Callable[..., dict[str, Any]]
) -> None:
    ended(ann.api, run)
    with server.socket(path, header=token, query="?last_seq=0") as socket:
        (snapshot, _) = joined(socket)
        recorded = socket.until("replay_done")
    frames, done = recorded[:-1], recorded[-1]
    assert [each["seq"] for each in frames] == list(range(1, snapshot["seq"] + 1))
    assert done["seq"] == snapshot["seq"] == len(frames)
    for cut in range(len(frames) + 1):
        with server.socket(path, header=token, query=f"?last_seq={cut}") as socket:
            joined(socket)
            assert socket.until("replay_done")[:-1] == frames[cut:]
        with server.socket(path) as socket:
            socket.send({"type": "auth", "token": token, "last_seq": cut})
            assert socket.receive()["type"] == "auth_ok"
            joined(socket)
            assert socket.until("replay_done")[:-1] == frames[cut:]
    with server.socket(path, header=token) as socket:
        joined(socket)
        socket.send({"type": "resume", "last_seq": 2})
        assert socket.until("replay_done")[:-1] == frames[2:]


def test_a_long_replay_is_whole(
    server: Server, ann: Person, worker: None, run: str, path: str, token: str,
    ended: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    ended(ann.api, run)
    monkeypatch.setattr("api.auterity.consumers.REPLAY_LIMIT", 2)
    with server.socket(path, header=token, query="?last_seq=0") as socket:
        (snapshot, _) = joined(socket)
        seqs = [each["seq"] for each in socket.until("replay_done")[:-1]]
    assert seqs == list(range(1, snapshot["seq"] + 1))
    assert len(seqs) > 4


def test_a_sequence_number_from_the_future_gets_a_fresh_snapshot(server: Server, path: str, token: str) -> None:
    with server.socket(path, header=token) as socket:
        joined(socket)
        assert socket.ask({"type": "resume", "last_seq": 99})["code"] == "SEQ_UNAVAILABLE"
        joined(socket)
        assert socket.ask({"type": "ping"})["type"] == "pong"


@pytest.mark.parametrize("last_seq", [None, -1, 1.5, True, "two", [], {}, "9" * 5000, "-1", ""])
def test_a_sequence_number_that_is_none_is_complained_about(
    server: Server, path: str, token: str, last_seq: Any
) -> None:
    with server.socket(path, header=token) as socket:
        joined(socket)
        assert socket.ask({"type": "resume", "last_seq": last_seq})["code"] == "INVALID_MESSAGE"
        assert socket.ask({"type": "ping"})["type"] == "pong"


def test_a_finished_execution_is_shown_and_closed_after_a_while(
    server: Server, ann: Person, worker: None, run: str, path: str, token: str,
    ended: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    ended(ann.api, run)
    assert sockets.LINGER_SECONDS == 30.0
    monkeypatch.setattr(sockets, "LINGER_SECONDS", 0.3)
    with server.socket(path, header=token) as socket:
        (_, status) = joined(socket)
        assert (status["status"], status["progress"]) == ("completed", 100)
        assert socket.closed()[:2] == ([], 1000)


def test_a_lost_fact_is_fetched_from_the_database(server: Server, ann: Person, run: str, path: str, token: str) -> None:
    """The bus is only a hint: with nobody publishing, the socket still comes to the end."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket_watch, "LOOK_SECONDS", 0.3)
        patch.setattr("auterity.kernel.live.LIVE.publish", lambda facts: None)
        with server.socket(path, header=token) as socket:
            joined(socket)
            runner = start_runner()
            try:
                frames = socket.until_ended()
            finally:
                stop_runner(runner)
    assert [each["seq"] for each in frames] == list(range(1, len(frames) + 1))


@pytest.mark.postgres
def test_a_worker_in_another_process_is_watched_through_redis(server: Server, path: str, token: str) -> None:
    host = settings.DATABASES["default"]
    name, place = connection.settings_dict["NAME"], urlencode({"host": host["HOST"], "port": host["PORT"]})
    url = f"postgresql://{host['USER']}:{host['PASSWORD']}@/{name}?{place}"
    program = "import django, time; django.setup()\nfrom executions.runner import Runner\nr = Runner(); r.start(); time.sleep(60)"
    with server.socket(path, header=token) as socket:
        joined(socket)
        environment = {**os.environ, "DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "auterity.settings.test"}
        with subprocess.Popen([sys.executable, "-c", program], env=environment) as process:
            try:
                frames = socket.until_ended()
            finally:
                process.kill()
    assert [each["seq"] for each in frames] == list(range(1, len(frames) + 1))
    assert frames[-1]["status"] == "completed"
