"""How the product is served: uvicorn's settings, and how a socket's connection ends (`websockets.yaml`, common).

What a consumer cannot see is decided here: a peer without a pong, a server that goes away, bytes that are no text, a peer that
reads nothing when it is told goodbye.
"""

from __future__ import annotations

import uuid
from typing import Any

import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from api.middleware import API_PAGES, SECURITY
from api.socket_codes import CHAT_BYTES, GOING_AWAY, NO_SIGN, NOT_UTF8

PING_SECONDS = 25.0
PONG_SECONDS = 60.0
FAREWELL_SECONDS = 2.0  # how long a peer may take to answer a close before its connection is cut


# What the server answers by itself, before any of ours is asked, says to browsers what every other answer says.
ALONE = {**SECURITY, "Content-Security-Policy": API_PAGES, "Cache-Control": "no-store"}
UNREADABLE = {
    "error": {
        "code": "VAL_001",
        "message": "This is no HTTP request that can be read: its first line, a header or its length is malformed or too long.",
    }
}


class HttpProtocol(HttpToolsProtocol):
    """uvicorn's own, whose refusals of what is no HTTP are worded and dressed as all others are."""

    def send_400_response(self, msg: str) -> None:
        body = orjson.dumps(UNREADABLE)
        about = {**ALONE, "Content-Type": "application/json", "Content-Length": str(len(body)), "Connection": "close"}
        about["X-Request-ID"] = str(uuid.uuid4())
        head = "".join(f"{name.lower()}: {value}\r\n" for name, value in about.items())
        self.transport.write(f"HTTP/1.1 400 Bad Request\r\n{head}\r\n".encode("ascii") + body)
        self.transport.close()


class SocketProtocol(WebSocketsSansIOProtocol):
    """uvicorn's own, with the close codes of the contract. A close never waits for a peer that does not read."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.conn.debug = False  # It would log handshakes with their tokens, whatever level the server's log has.
        self._answer_handshake = self.conn.send_response
        self.conn.send_response = self._dressed  # type: ignore[method-assign]  # Also what the library refuses by itself.

    def _dressed(self, response: Any) -> None:
        for name, value in ALONE.items():
            if name not in response.headers:
                response.headers[name] = value
        self._answer_handshake(response)

    def shutdown(self) -> None:
        """The server stops: every socket is told, and the event loop waits until they are gone."""
        self.stop_keepalive()
        if not self.handshake_complete:
            super().shutdown()
        else:
            self._part(GOING_AWAY, "going_away")

    def keepalive_timeout(self) -> None:
        self.pong_timer = self.pending_ping_payload = None
        self._part(NO_SIGN, "no_pong")

    def handle_parser_exception(self) -> None:
        """Too large, or no WebSocket at all. What still comes is read and dropped, so that the peer gets to see the code."""
        if self.conn.close_sent is not None and not self.close_sent:
            self._told(self.conn.close_sent.code, self.conn.close_sent.reason)

    def send_receive_event_to_app(self) -> None:
        if self.curr_msg_data_type == "text" and not self.close_sent:
            self.frames = [b"".join(self.frames)]
            try:
                self.frames[0].decode()
            except UnicodeDecodeError:
                self.frames = []
                self._part(NOT_UTF8, "not_utf8")
                return
        super().send_receive_event_to_app()

    async def send(self, message: Any) -> None:
        if message["type"] == "websocket.close" and self.handshake_complete:
            self._part(message.get("code", 1000), message.get("reason") or "")
            return
        await self.writable.wait()
        if self.close_sent and self.handshake_complete:
            raise ClientDisconnected
        await super().send(message)

    def _part(self, code: int, reason: str) -> None:
        if not self.close_sent and not self.disconnected and self.conn.state.name == "OPEN":
            self.conn.send_close(code, reason)
            self._told(code, reason)

    def _told(self, code: int, reason: str) -> None:
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()
        self.close_timer = self.loop.call_later(FAREWELL_SECONDS, self.transport.abort)


SERVED: dict[str, Any] = {
    "http": HttpProtocol,
    "ws": SocketProtocol,
    "ws_max_size": CHAT_BYTES,  # a consumer may take less
    "ws_per_message_deflate": False,
    "ws_ping_interval": PING_SECONDS,
    "ws_ping_timeout": PONG_SECONDS,
    "log_level": "warning",
    "access_log": False,
    "server_header": False,
    "proxy_headers": False,  # Whom to believe about a client's address is said by AUTERITY_TRUSTED_PROXIES.
    "timeout_graceful_shutdown": 20,
}
