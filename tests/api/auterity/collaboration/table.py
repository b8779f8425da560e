"""People at one workflow (`websockets.yaml`, ws.collaboration): what they send, and the frames that they are sent."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

from tests.api.people import Person
from tests.api.serving import Server, Socket
from tests.api.shapes import wrong

SNAPSHOT = {
    "workflow_id": "uuid", "seq": "integer", "stream_id": "string", "revision": "integer", "nodes": ["object"],
    "edges": ["object"],
    "participants": [{"user_id": "uuid", "name": "string", "color": "string", "since": "datetime"}], "timestamp": "datetime",
}  # fmt: skip
OPERATION = {
    "type": "enum(workflow_collaboration)", "workflow_id": "uuid", "user_id": "uuid", "operation": "string", "data": "object",
    "timestamp": "datetime", "seq": "integer", "revision": "integer", "client_op_id": "string",
}  # fmt: skip
ACK = {"client_op_id": "string", "seq": "integer", "revision": "integer", "timestamp": "datetime"}
EPHEMERAL = {name: OPERATION[name] for name in ("type", "workflow_id", "user_id", "operation", "data", "timestamp")}


def op(operation: str, data: Any, name: str | None = "op-1", **more: Any) -> dict[str, Any]:
    named = {"client_op_id": name} if name is not None else {}
    return {"type": "workflow_collaboration", "operation": operation, "data": data, **named, **more}


def titled(title: str, name: str = "op-1", node: str = "mail", **more: Any) -> dict[str, Any]:
    return op("node_updated", {"node_id": node, "changes": {"title": title}}, name, **more)


class Table:
    """Several people at one workflow; the frames about coming and going are passed over."""

    def __init__(self, server: Server, path: str, stack: ExitStack) -> None:
        self._server, self._path, self._stack = server, path, stack

    def seat(self, person: Person, query: str = "") -> Socket:
        socket = self._stack.enter_context(
            self._server.socket(self._path, header=person.tokens.access_token, query=query)
        )
        assert wrong(socket.receive(), SNAPSHOT) == []
        return socket


def next_of(socket: Socket, *kinds: str) -> dict[str, Any]:
    """The next frame of these types."""
    frame = socket.receive()
    while frame["type"] not in kinds:
        frame = socket.receive()
    return frame


def told(socket: Socket) -> dict[str, Any]:
    """The next frame that is not about coming and going."""
    frame = socket.receive()
    while frame["type"].startswith("participant_"):
        frame = socket.receive()
    return frame
