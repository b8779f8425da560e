"""The outgoing client against real servers on loopback."""

from __future__ import annotations

import gzip
import json
import socket
import ssl
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from engine.ports import HttpCall, Rejected, TimedOut, Unavailable, Unknown
from integrations import egress
from integrations.http import MAX_BODY_BYTES, GuardedHttp, GuardedTransport, client

pytestmark = pytest.mark.usefixtures("loopback")


def call(method: str, url: str, **more: object) -> HttpCall:
    return HttpCall(key="run-1/fetch/0", method=method, url=url, **more)  # type: ignore[arg-type]


@contextmanager
def raw_server(talk: Callable[[socket.socket], None]) -> Iterator[int]:
    """A server that says to one client whatever the test wants, bytes and pauses included."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            try:
                connection, _ = listening.accept()
                with connection:
                    talk(connection)
            except OSError:
                pass  # The client hung up, which is what several tests are about.

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listening.getsockname()[1]
    thread.join(3)


def echo(request: Request) -> Response:
    said = {"headers": dict(request.headers), "query": request.query_string.decode(), "body": request.data.decode()}
    return Response(json.dumps(said), content_type="application/json")


def test_answer_is_returned_whatever_its_status(server: HTTPServer) -> None:
    server.expect_request("/missing").respond_with_data("nothing here", status=404, content_type="text/plain")
    answer = GuardedHttp().call(call("GET", server.url_for("/missing")), timeout=5)
    assert (answer.status, answer.body) == (404, b"nothing here")
    assert answer.headers["content-type"] == "text/plain"
    assert 0 < answer.elapsed_ms < 5000


def test_query_headers_and_body_arrive(server: HTTPServer) -> None:
    server.expect_request("/echo").respond_with_handler(echo)
    request = call(
        "POST",
        server.url_for("/echo?a=1"),
        query={"b": ["x", "y z"], "c": True, "d": None},
        headers={"Content-Type": "application/json", "X-Token": "t", "Accept-Encoding": "br", "Content-Length": "999"},
        body=b'{"a": 1}',
    )
    said = json.loads(GuardedHttp().call(request, timeout=5).body)
    assert said["query"] == "a=1&b=x&b=y+z&c=true"
    assert said["body"] == '{"a": 1}'
    assert said["headers"]["X-Token"] == "t"
    assert said["headers"]["Accept-Encoding"] == "gzip, deflate"
    assert said["headers"]["Content-Length"] == "8"


@pytest.mark.parametrize(
    ("method", "given", "sent"),
    [
        ("POST", {}, "run-1/fetch/0"),
        ("PUT", {}, "run-1/fetch/0"),
        ("PATCH", {}, "run-1/fetch/0"),
        ("DELETE", {}, "run-1/fetch/0"),
        ("POST", {"idempotency-key": "own"}, "own"),
        ("GET", {}, None),
        ("OPTIONS", {}, None),
    ],
)
def test_idempotency_key_goes_out_on_unsafe_methods(
    server: HTTPServer, method: str, given: dict[str, str], sent: str | None
) -> None:
    server.expect_request("/echo").respond_with_handler(echo)
    answer = GuardedHttp().call(call(method, server.url_for("/echo"), headers=given), timeout=5)
    assert json.loads(answer.body)["headers"].get("Idempotency-Key") == sent


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirect_is_an_answer_and_is_not_followed(server: HTTPServer, status: int) -> None:
    server.expect_request("/inside").respond_with_data("secret")
    server.expect_request("/go").respond_with_data("", status=status, headers={"Location": server.url_for("/inside")})
    answer = GuardedHttp().call(call("GET", server.url_for("/go")), timeout=5)
    assert answer.status == status
    assert answer.headers["location"] == server.url_for("/inside")
    assert [request.path for request, _ in server.log] == ["/go"]


def test_inner_address_is_refused_before_anything_is_sent(server: HTTPServer, settings) -> None:
    settings.EGRESS_ALLOW = []
    with pytest.raises(Rejected, match=r"127\.0\.0\.1 is loopback.*AUTERITY_EGRESS_ALLOW"):
        GuardedHttp().call(call("GET", server.url_for("/")), timeout=5)
    assert server.log == []


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "bare deflate", "identity"])
def test_compressed_answer_is_undone(server: HTTPServer, encoding: str) -> None:
    plain = b"auterity " * 5000
    bare = zlib.compressobj(wbits=-15)
    packed = {
        "gzip": gzip.compress(plain),
        "deflate": zlib.compress(plain),
        "bare deflate": bare.compress(plain) + bare.flush(),
        "identity": plain,
    }[encoding]
    named = encoding.removeprefix("bare ")
    server.expect_request("/").respond_with_data(packed, headers={"Content-Encoding": named})
    answer = GuardedHttp().call(call("GET", server.url_for("/")), timeout=5)
    assert answer.body == plain
    assert answer.headers.get("content-encoding", "identity") == "identity"


def test_gzip_bomb_stops_at_the_cap(server: HTTPServer) -> None:
    bomb = gzip.compress(b"\0" * (MAX_BODY_BYTES * 8))
    assert len(bomb) < 100_000
    server.expect_request("/").respond_with_data(bomb, headers={"Content-Encoding": "gzip"})
    with pytest.raises(Rejected, match="larger than 10 MiB") as refused:
        GuardedHttp().call(call("GET", server.url_for("/")), timeout=20)
    assert refused.value.details == {"rule": "http.body"}


def test_body_of_exactly_the_cap_is_taken(server: HTTPServer) -> None:
    packed = gzip.compress(b"\0" * MAX_BODY_BYTES)
    server.expect_request("/").respond_with_data(packed, headers={"Content-Encoding": "gzip"})
    assert len(GuardedHttp().call(call("GET", server.url_for("/")), timeout=20).body) == MAX_BODY_BYTES


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "rot13"])
def test_encoding_that_was_not_asked_for_is_rejected(server: HTTPServer, encoding: str) -> None:
    server.expect_request("/").respond_with_data(b"x", headers={"Content-Encoding": encoding})
    with pytest.raises(Rejected, match="not asked for"):
        GuardedHttp().call(call("GET", server.url_for("/")), timeout=5)


def test_broken_compression_is_rejected(server: HTTPServer) -> None:
    server.expect_request("/").respond_with_data(b"not gzip", headers={"Content-Encoding": "gzip"})
    with pytest.raises(Rejected, match="cannot be decompressed"):
        GuardedHttp().call(call("GET", server.url_for("/")), timeout=5)


def test_too_many_headers_are_rejected(server: HTTPServer) -> None:
    server.expect_request("/").respond_with_data("x", headers={f"X-{each}": "y" for each in range(250)})
    with pytest.raises(Rejected, match="more headers than allowed"):
        GuardedHttp().call(call("GET", server.url_for("/")), timeout=5)


@pytest.mark.parametrize(("method", "failure"), [("GET", TimedOut), ("POST", Unknown)])
def test_dripping_body_ends_at_the_total_deadline(method: str, failure: type[Exception]) -> None:
    def drip(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(100):
            connection.sendall(b"x")
            time.sleep(0.05)

    started = time.monotonic()
    with raw_server(drip) as port, pytest.raises(failure):
        GuardedHttp().call(call(method, f"http://127.0.0.1:{port}/", body=b"x"), timeout=0.4)
    assert time.monotonic() - started < 2


def test_dripping_headers_end_at_the_total_deadline() -> None:
    def drip(connection: socket.socket) -> None:
        connection.recv(65536)
        for each in range(100):
            connection.sendall(b"HTTP/1.1 200 OK\r\n" if each == 0 else b"X: y\r\n")
            time.sleep(0.05)

    started = time.monotonic()
    with raw_server(drip) as port, pytest.raises(TimedOut):
        GuardedHttp().call(call("GET", f"http://127.0.0.1:{port}/"), timeout=0.4)
    assert time.monotonic() - started < 2


def hang_up(connection: socket.socket) -> None:
    connection.recv(65536)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_no_answer_to_an_unsafe_method_is_unknown(method: str) -> None:
    with raw_server(hang_up) as port, pytest.raises(Unknown, match="may have been carried out") as lost:
        GuardedHttp().call(call(method, f"http://127.0.0.1:{port}/", body=b"x"), timeout=3)
    assert lost.value.details == {"reason": "lost"}


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_no_answer_to_a_safe_method_is_unavailable(method: str) -> None:
    with raw_server(hang_up) as port, pytest.raises(Unavailable) as lost:
        GuardedHttp().call(call(method, f"http://127.0.0.1:{port}/"), timeout=3)
    assert not isinstance(lost.value, TimedOut)


def test_half_an_answer_to_an_unsafe_method_is_unknown() -> None:
    def half(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")

    with raw_server(half) as port, pytest.raises(Unknown):
        GuardedHttp().call(call("POST", f"http://127.0.0.1:{port}/"), timeout=3)


def test_closed_port_is_unavailable_even_for_post() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    with pytest.raises(Unavailable, match="connection refused"):
        GuardedHttp().call(call("POST", f"http://127.0.0.1:{port}/"), timeout=3)


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Secret": "hush\r\nHost: evil"},
        {"X-Secret": "hush\0"},
        {"Bad Name": "hush"},
        {"": "hush"},
        {"Host": "evil.example.com"},
    ],
)
def test_unusable_header_is_rejected_without_its_value(server: HTTPServer, headers: dict[str, str]) -> None:
    with pytest.raises(Rejected) as refused:
        GuardedHttp().call(call("GET", server.url_for("/"), headers=headers), timeout=3)
    assert "hush" not in refused.value.message
    assert server.log == []


@pytest.mark.parametrize("method", ["CONNECT", "TRACE", "GET / HTTP/1.1\r\nX:", ""])
def test_unusual_method_is_rejected(server: HTTPServer, method: str) -> None:
    with pytest.raises(Rejected, match="The method"):
        GuardedHttp().call(call(method, server.url_for("/")), timeout=3)


def test_client_for_sdks_is_guarded_and_forgets_cookies(server: HTTPServer, settings) -> None:
    server.expect_request("/").respond_with_data("x", headers={"Set-Cookie": "who=you"})
    with client() as sdk:
        sdk.get(server.url_for("/"))
        sdk.get(server.url_for("/"))
        assert [request.headers.get("Cookie") for request, _ in server.log] == [None, None]
        settings.EGRESS_ALLOW = []
        with pytest.raises(Rejected):
            sdk.get(server.url_for("/"))


def test_tls_is_verified_against_the_name_while_the_judged_address_is_dialled(settings, certificates) -> None:
    settings.EGRESS_ALLOW = ["shop.example.com"]
    names: list[str | None] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.chain)
    context.sni_callback = lambda sock, name, ctx: names.append(name)
    with HTTPServer(host="127.0.0.1", ssl_context=context) as secure:
        secure.expect_request("/").respond_with_handler(echo)
        trusting = GuardedTransport(
            egress.Network(lookup=lambda host, port: ["127.0.0.1"]),
            ssl.create_default_context(cafile=certificates.root),
        )
        url = f"https://shop.example.com:{secure.port}/"
        answer = GuardedHttp(trusting).call(call("GET", url), timeout=5)
        assert json.loads(answer.body)["headers"]["Host"] == f"shop.example.com:{secure.port}"
        assert names == ["shop.example.com"]

        settings.EGRESS_ALLOW = ["other.example.com"]
        with pytest.raises(Rejected, match=r"certificate of other\.example\.com is not valid"):
            GuardedHttp(trusting).call(call("POST", f"https://other.example.com:{secure.port}/"), timeout=5)
        assert len(secure.log) == 1
