"""G25: what can be done wrong at a socket's door and behind it: origins, credentials, tickets, foreign ids, and frames. Nobody
gets in who must not, no foreign data comes, and the server goes on. `python -m tests.load.g25_socket_abuse [--short]`
"""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any

import orjson

from tests.load.gates import Figures
from tests.load.servers import stand_alone

MARK = "foreign-socket-marker"
ORIGINS = [
    "https://evil.example", "http://evil.example", "null", "file://", "https://localhost.evil.example", "http://localhost:1",
    "https://127.0.0.1.evil.example", "chrome-extension://x", "https://LOCALHOST", "http://[::1]", "https://a@localhost",
]  # fmt: skip
FRAMES: list[str | bytes] = [
    b"", b"\x00", b"\xff\xfe", b"\x80\x04N.", "", " ", "{", "[]", "[1]", "null", "1", '"x"', "NaN", "{}", '{"type":null}',
    '{"type":1}', '{"type":[]}', '{"type":{}}', '{"type":""}', '{"type":"' + "x" * 5000 + '"}', '{"type":"ping","type":"auth"}',
    '{"type":"websocket.close"}', '{"type":"websocket.receive","text":"x"}', '{"type":"websocket.disconnect"}',
    '{"type":"http.request"}', '{"type":"send_json"}', '{"type":"__init__"}', '{"type":"disconnect"}', '{"type":"receive"}',
    '{"type":"execution_status","status":"completed"}', '{"type":"auth","token":null}', '{"type":"auth","token":"x"}',
    '{"type":"auth","token":{"a":1}}', '{"type":"subscribe","execution_id":"*"}', '{"type":"subscribe","topic":"execution:*"}',
    '{"type":"subscribe","execution_id":"../x"}', '{"type":"ping","id":' + "9" * 4000 + "}", '{"type":"ping","a":1e999}',
    '{"type":"ping","a":"\\ud800"}', '{"type":"ping","a":"\\u0000"}', '{"a":' * 200 + "1" + "}" * 200, '{"type":"cancel"}',
    '{"type":"workflow_collaboration"}', '{"type":"workflow_collaboration","operation":"node_added","data":null}',
    '{"type":"workflow_collaboration","operation":"eval","data":{}}', '{"type":"user_presence","cursor":"x"}', "x" * 70_000,
]  # fmt: skip


def measure(short: bool) -> Figures:
    from accounts import services
    from tests.api.people import founder
    from tests.api.serving import Server
    from tests.executions.support import flow, save, start

    stamp = time.time_ns()
    ann, otto = (founder(f"{name}-{stamp}@example.com", name) for name in ("ann", "otto"))
    definition = flow({"a": ("data-transformation", {"set": {"text": MARK}})})
    theirs = save(otto.actor, definition)
    foreign_run = start(otto.actor, theirs, {"secret": MARK})
    own = start(ann.actor, save(ann.actor, flow({"a": "start"})))
    paths = [
        f"/ws/executions/{own.id}",
        f"/ws/workflows/{own.workflow_id}/collaboration",
        "/ws/notifications",
        "/ws/me",
    ]
    foreign = [f"/ws/executions/{foreign_run.id}", f"/ws/workflows/{theirs.id}/collaboration"]
    token = ann.tokens.access_token
    play = Play()
    with Server() as server:
        play.server = server
        for path in [*paths, *foreign]:
            for origin in ORIGINS:
                play.knock(
                    f"{origin} with a cookie", path, origin=origin, cookie=f"sessionid={token}; access_token={token}"
                )
        for path in foreign:
            play.knock("another organization's id", path, header=token)
            made = ann.api.post("/api/ws-tickets", {"path": path}).json().get("ticket", "")
            play.knock("a ticket for another organization's id", path, query=f"?ticket={made}")
        used = ann.api.made("/api/ws-tickets", {"path": paths[0]})["ticket"]
        with server.socket(paths[0], query=f"?ticket={used}") as socket:
            play.own.append(orjson.dumps(socket.receive()))
        for path in paths:
            play.knock("a ticket used before, or of another path", path, query=f"?ticket={used}")
        ended = services.login(email=ann.email, password="correct horse 9", dialect="auterity", access_seconds=1800)
        services.logout(actor=ended.actor)
        for name, bad in _tokens(ann, ended.access_token).items():
            for path in paths:
                play.knock(f"a {name} token", path, header=bad)
                play.knock(f"a {name} token as a subprotocol", path, subprotocols=[f"bearer.{bad[:3000]}"])
        for path in paths[: 2 if short else 4]:
            for at, frame in enumerate(FRAMES):
                play.throw(f"frame {at}", path, token, frame)
        with server.socket(paths[0], header=token) as socket:  # After all that it serves as before.
            well = socket.receive()["type"] == "execution_snapshot"
        server.settle()
    leaked = sum(MARK.encode() in each for each in play.heard)
    return {
        "origins": len(ORIGINS), "frames": len(FRAMES), "tries": play.tries, "let_in": play.let_in[:10],
        "crashed": play.crashed[:10], "leaked": leaked, "serves_on": well,
        "passed": not (play.let_in or play.crashed or leaked) and well and play.tries >= 150,
    }  # fmt: skip


class Play:
    """Who knocks gets an error frame and a close, or silence until the server ends it; never anything else."""

    server: Any

    def __init__(self) -> None:
        self.tries = 0
        self.let_in: list[str] = []
        self.crashed: list[str] = []
        self.heard: list[bytes] = []
        self.own: list[bytes] = []

    def knock(self, name: str, path: str, **how: Any) -> None:
        from websockets.exceptions import InvalidHandshake, WebSocketException

        self.tries += 1
        try:
            with self.server.socket(path, **how) as socket:
                frame: dict[str, Any] = {}
                with suppress(TimeoutError):
                    frame = socket.receive(0.15)
                self.heard.append(orjson.dumps(frame))
                if frame and frame.get("type") != "error":
                    self.let_in.append(f"{name} at {path}: {frame.get('type')}")
        except InvalidHandshake as refused:
            status = getattr(getattr(refused, "response", None), "status_code", 0)
            if status >= 500:
                self.crashed.append(f"{name} at {path}: {status}")
        except (WebSocketException, OSError):
            pass  # Closed at once.

    def throw(self, name: str, path: str, token: str, frame: str | bytes) -> None:
        """A frame by somebody who may be here: an error frame or a close with a code of ours, never 1011."""
        from websockets.exceptions import ConnectionClosed

        self.tries += 1
        with self.server.socket(path, header=token) as socket:
            try:
                socket.connection.send(frame)
                socket.connection.send('{"type":"ping"}')
                until = time.monotonic() + 5
                while time.monotonic() < until:
                    found = socket.receive(1.0)
                    self.heard.append(orjson.dumps(found))
                    if found.get("type") in ("pong", "error") and frame != b"":
                        return
            except TimeoutError:
                return
            except ConnectionClosed as closed:
                if closed.rcvd is not None and closed.rcvd.code == 1011:
                    self.crashed.append(f"{name} at {path}: {closed.rcvd.code} {closed.rcvd.reason}")


def _tokens(person: Any, ended: str) -> dict[str, str]:
    head, payload, signature = person.tokens.access_token.split(".")
    return {
        "logged out": ended,
        "refresh": person.tokens.refresh_token or "",
        "unsigned": f"{head}.{payload}.",
        "forged": f"{head}.{payload}.{signature[::-1]}",
        "endless": "x" * 6000,
    }


if __name__ == "__main__":
    stand_alone("g25_socket_abuse", measure)
