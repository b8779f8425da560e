"""The one outgoing HTTP client. Every call of a node, a webhook or a provider's SDK goes through `GuardedTransport`.

One connection a call: an idle connection that the other side closes just as we send would turn a harmless race into
"it may or may not have happened". Nothing here follows a redirect, keeps a cookie or reads proxy variables.
"""

from __future__ import annotations

import re
import socket
import ssl
import time
import zlib
from collections.abc import Iterable, Iterator
from functools import lru_cache
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import quote

import httpcore2
import httpx2

from engine.ports import HttpAnswer, HttpCall, PortFailure, Rejected, TimedOut, Unavailable, Unknown
from integrations import egress
from integrations.egress import Deadline

MAX_BODY_BYTES = 10 * 1024 * 1024
MAX_HEADER_BYTES = 64 * 1024
MAX_HEADERS = 200
DEFAULT_SECONDS = 60.0
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
METHODS = SAFE_METHODS | {"POST", "PUT", "PATCH", "DELETE"}

_PIECE = 64 * 1024
_OURS = {b"accept-encoding", b"connection", b"keep-alive", b"te", b"trailer", b"upgrade", b"expect"}
_WINDOW_BITS = {"gzip": 31, "x-gzip": 31, "deflate": 15}
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")


class Exchange:
    """One request and its answer: how far it got decides what a failure means."""

    def __init__(self, method: str, host: str, deadline: Deadline) -> None:
        self.method = method
        self.host = host
        self.deadline = deadline
        self.sent = False

    def failure(self, error: Exception) -> PortFailure:
        """What an error of the layers below means to the caller."""
        if isinstance(error, PortFailure):
            return error
        if isinstance(error, (httpcore2.LocalProtocolError, httpcore2.UnsupportedProtocol)):
            return Rejected("The request holds a header that HTTP does not allow.", rule="http.request")
        late = isinstance(error, httpcore2.TimeoutException)
        story = "did not answer in time" if late else "broke off before answering"
        if self.sent and self.method not in SAFE_METHODS:
            reason = "timeout" if late else "lost"
            return Unknown(
                f"{self.host} took the {self.method} and {story}; it may have been carried out.", reason=reason
            )
        return (TimedOut if late else Unavailable)(f"{self.host} {story}.")


class _Wire(httpcore2.NetworkStream):
    """A socket whose every wait is bounded by what is left of the exchange's deadline."""

    def __init__(self, sock: socket.socket, exchange: Exchange) -> None:
        self._sock = sock
        self._exchange = exchange

    def _hurry(self, late: type[Exception]) -> None:
        left = self._exchange.deadline.left()
        if left <= 0:
            raise late("deadline")
        self._sock.settimeout(left)

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        self._hurry(httpcore2.ReadTimeout)
        try:
            return self._sock.recv(max_bytes)
        except TimeoutError as error:
            raise httpcore2.ReadTimeout("deadline") from error
        except OSError as error:
            raise httpcore2.ReadError("lost") from error

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        view = memoryview(buffer)
        while view:
            self._hurry(httpcore2.WriteTimeout)
            self._exchange.sent = True
            try:
                view = view[self._sock.send(view) :]
            except TimeoutError as error:
                raise httpcore2.WriteTimeout("deadline") from error
            except OSError as error:
                raise httpcore2.WriteError("lost") from error

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        self._hurry(httpcore2.ConnectTimeout)
        try:
            return _Wire(ssl_context.wrap_socket(self._sock, server_hostname=server_hostname), self._exchange)
        except ssl.SSLCertVerificationError as error:
            self.close()
            why = error.verify_message or "not trusted"
            raise Rejected(
                f"The certificate of {server_hostname} is not valid: {why}.", rule="http.certificate"
            ) from error
        except TimeoutError as error:
            self.close()
            raise httpcore2.ConnectTimeout("deadline") from error
        except OSError as error:
            self.close()
            raise httpcore2.ConnectError("TLS") from error

    def close(self) -> None:
        self._sock.close()


class _Dialer(httpcore2.NetworkBackend):
    """Opens the connection through the egress guard, to the address it judged."""

    def __init__(self, exchange: Exchange, network: egress.Network) -> None:
        self._exchange = exchange
        self._network = network

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.NetworkStream:
        sock = egress.connect(host, port, self._exchange.deadline, network=self._network)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return _Wire(sock, self._exchange)


class _Body(httpx2.SyncByteStream):
    """The answer's body, decompressed and counted while it streams; closes the connection when done."""

    def __init__(
        self, raw: Iterable[bytes], encoding: str, exchange: Exchange, connection: httpcore2.HTTPConnection
    ) -> None:
        self._raw = raw
        self._encoding = encoding
        self._exchange = exchange
        self._connection = connection

    def __iter__(self) -> Iterator[bytes]:
        count = 0
        try:
            for piece in self._decoded():
                count += len(piece)
                if count > MAX_BODY_BYTES:
                    raise Rejected(f"The answer of {self._exchange.host} is larger than 10 MiB.", rule="http.body")
                yield piece
        except zlib.error as error:
            raise Rejected(
                f"The answer of {self._exchange.host} cannot be decompressed.", rule="http.encoding"
            ) from error
        except Exception as error:
            raise self._exchange.failure(error) from error

    def _decoded(self) -> Iterator[bytes]:
        if self._encoding == "identity":
            yield from self._raw
            return
        bits = _WINDOW_BITS[self._encoding]
        inflate = None
        for chunk in self._raw:
            if inflate is None and chunk:
                # "deflate" means zlib, but some servers send it bare; the first byte of zlib's header tells.
                bare = self._encoding == "deflate" and chunk[0] & 0x0F != 8
                inflate = zlib.decompressobj(-15 if bare else bits)
            while chunk and inflate is not None:
                yield inflate.decompress(chunk, _PIECE)
                if inflate.eof:
                    return  # What comes behind the end is nobody's, and zlib would keep all of it.
                chunk = inflate.unconsumed_tail

    def close(self) -> None:
        self._connection.close()


@lru_cache(maxsize=1)
def _tls() -> ssl.SSLContext:
    """Loading the machine's root certificates takes tens of milliseconds, so once a process."""
    return httpcore2.default_ssl_context()


class GuardedTransport(httpx2.BaseTransport):
    """An httpx2 transport through the guard. The request's read time-out, in seconds, bounds the whole exchange.

    Raises the failures of `engine.ports` rather than httpx2's: they say whether trying again can help.
    """

    def __init__(self, network: egress.Network = egress.SYSTEM, tls: ssl.SSLContext | None = None) -> None:
        self._network = network
        self._tls = tls

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        url = egress.checked_url(request.url)
        seconds = (request.extensions.get("timeout") or {}).get("read")
        exchange = Exchange(request.method, url.host, Deadline(DEFAULT_SECONDS if seconds is None else seconds))
        target = httpcore2.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)
        connection = httpcore2.HTTPConnection(
            origin=target.origin,
            ssl_context=(self._tls or _tls()) if url.scheme == "https" else None,
            network_backend=_Dialer(exchange, self._network),
        )
        headers = [(name, value) for name, value in request.headers.raw if name.lower() not in _OURS]
        headers += [(b"Accept-Encoding", b"gzip, deflate"), (b"Connection", b"close")]
        try:
            answer = connection.handle_request(
                httpcore2.Request(request.method, target, headers=headers, content=request.stream)
            )
            kept, encoding = _checked_headers(httpx2.Headers(answer.headers), exchange)
        except Exception as error:
            connection.close()
            # A protocol error quotes the header it dislikes, which may be a secret; it is not chained.
            raise exchange.failure(error) from (None if isinstance(error, httpcore2.ProtocolError) else error)
        body = _Body(answer.iter_stream(), encoding, exchange, connection)
        return httpx2.Response(answer.status, headers=kept, stream=body, request=request)


def _checked_headers(headers: httpx2.Headers, exchange: Exchange) -> tuple[httpx2.Headers, str]:
    """The answer's headers as they hold for the decoded body, and the one encoding to undo."""
    size = sum(len(name) + len(value) for name, value in headers.raw)
    if len(headers.raw) > MAX_HEADERS or size > MAX_HEADER_BYTES:
        raise Rejected(f"The answer of {exchange.host} has more headers than allowed.", rule="http.headers")
    encoding = headers.get("content-encoding", "identity").strip().lower() or "identity"
    if encoding == "identity":
        return headers, encoding
    if encoding not in _WINDOW_BITS:
        raise Rejected(f"{exchange.host} answered in an encoding that was not asked for.", rule="http.encoding")
    for name in ("content-encoding", "content-length"):
        headers.pop(name, None)
    return headers, encoding


def client(seconds: float = DEFAULT_SECONDS) -> httpx2.Client:
    """An httpx2 client for SDKs that want one: guarded, without redirects, proxies and cookies."""
    made = httpx2.Client(transport=GuardedTransport(), timeout=seconds, trust_env=False, follow_redirects=False)
    made.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    return made


class GuardedHttp:
    """`HttpPort` over the guarded transport."""

    def __init__(self, transport: httpx2.BaseTransport | None = None) -> None:
        self._transport = transport or GuardedTransport()

    def call(self, call: HttpCall, *, timeout: float) -> HttpAnswer:
        """Send once and return whatever is answered. `timeout` bounds the whole exchange, in seconds.

        Raises Rejected (refused address, unusable answer), TimedOut, Unavailable, or Unknown (an unsafe method was sent
        and no full answer came).
        """
        started = time.monotonic()
        request = _request(call, timeout)
        response = self._transport.handle_request(request)
        try:
            body = response.read()
        finally:
            response.close()
        return HttpAnswer(response.status_code, dict(response.headers), body, (time.monotonic() - started) * 1000)


def _request(call: HttpCall, timeout: float) -> httpx2.Request:
    method = call.method.upper()
    if method not in METHODS:
        raise Rejected(f"The method {method[:20]!r} is not one of {', '.join(sorted(METHODS))}.", rule="http.method")
    url = egress.checked_url(call.url)
    if call.query:
        url = url.copy_merge_params({name: _text(value) for name, value in call.query.items() if value is not None})
    headers = _headers(call, url)
    if method not in SAFE_METHODS and call.key:
        headers.setdefault("Idempotency-Key", quote(call.key, safe="/:-_.~"))
    extensions = {"timeout": {"read": timeout}}
    return httpx2.Request(method, url, headers=headers, content=call.body, extensions=extensions)


def _headers(call: HttpCall, url: httpx2.URL) -> httpx2.Headers:
    headers = httpx2.Headers({"Accept": "*/*", "User-Agent": "Auterity"})
    for name, value in call.headers.items():
        if not _HEADER_NAME.match(name) or re.search(r"[\r\n\0]", str(value)):
            raise Rejected(
                f"The header {name[:40]!r} has a name or value that HTTP does not allow.", rule="http.request"
            )
        headers[name] = str(value)
    if headers.pop("host", url.netloc.decode()) != url.netloc.decode():
        raise Rejected("The header Host must be the URL's own; leave it out.", rule="http.request")
    for name in ("content-length", "transfer-encoding"):
        headers.pop(name, None)  # They follow from the body.
    return headers


def _text(value: Any) -> Any:
    return [_text(each) for each in value] if isinstance(value, (list, tuple)) else value
