"""Servers that talk for ever, in the wrong tongue, or in the wrong shape: each call ends, in time, with a failure in words."""

from __future__ import annotations

import gzip
import itertools
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx2
import orjson
import pytest
from pydantic import SecretStr
from pytest_httpserver import HTTPServer

from engine.ports import HttpAnswer, HttpCall, PortFailure, Prompt, Sms, TimedOut, Unavailable
from integrations.answers import NotTheAnswer, read_answer
from integrations.databases import DatabaseLogin
from integrations.dms.client import DmsClient
from integrations.http import GuardedHttp
from integrations.providers.database.mysql import Config as MySqlConfig
from integrations.providers.database.mysql import MySql
from integrations.providers.email.smtp import Config as SmtpConfig
from integrations.providers.email.smtp import Smtp
from integrations.providers.llm.openai_compatible import Config as LlmConfig
from integrations.providers.llm.openai_compatible import OpenAiCompatible
from integrations.providers.sms import messagebird, twilio
from nodes.formats.content import decode

pytestmark = pytest.mark.usefixtures("loopback")

SECONDS = 0.5


@contextmanager
def saying(first: bytes, again: bytes, *, pause: float = 0.0, listens: int = 0) -> Iterator[int]:
    """A server that hears out so many messages, each answered by a part of `first`, then says `again` without end."""
    over = threading.Event()

    def talk(connection: socket.socket) -> None:
        connection.settimeout(5)
        for _ in range(listens):
            connection.recv(65536)
        connection.sendall(first)
        while not over.wait(pause) and again:
            connection.sendall(again)

    def serve() -> None:
        with listening:
            while not over.is_set():
                try:
                    connection, _ = listening.accept()
                    with connection:
                        talk(connection)
                except OSError:
                    continue  # Hung up, which is what the test is about; or nobody came.

    listening = socket.create_server(("127.0.0.1", 0))
    listening.settimeout(0.1)
    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listening.getsockname()[1]
    finally:
        over.set()
        thread.join(3)


def mailer(port: int, **more: str) -> Smtp:
    fields = {"host": "127.0.0.1", "port": port, "security": "none", "sender": "desk@shop.example"}
    return Smtp(SmtpConfig.model_validate(fields | more))


def mysql(port: int) -> MySql:
    told = {
        "host": "127.0.0.1",
        "port": port,
        "database": "d",
        "sslmode": "disable",
        "statement_timeout_ms": 1000 * SECONDS,
    }
    return MySql(MySqlConfig.model_validate(told), DatabaseLogin(username="u", password=SecretStr("p")))


@pytest.mark.parametrize(
    ("first", "again", "pause", "failure"),
    [
        pytest.param(b"", b"220-x\r\n", 0.05, TimedOut, id="a greeting that goes on, line by line"),
        pytest.param(b"", b"2", 0.05, TimedOut, id="a line that goes on, letter by letter"),
        pytest.param(b"", b"220-" + b"x" * 500 + b"\r\n", 0.0, Unavailable, id="a flood of lines"),
        pytest.param(b"220 hi\r\n", b"250-X\r\n", 0.05, TimedOut, id="abilities without end"),
        pytest.param(b"\xff\xfe\r\n", b"", 0.05, Unavailable, id="no SMTP"),
    ],
)
def test_a_mail_server_that_does_not_stop_is_left_in_time(
    first: bytes, again: bytes, pause: float, failure: type[PortFailure]
) -> None:
    with saying(first, again, pause=pause) as port, pytest.raises(failure):
        mailer(port).check(timeout=SECONDS)


def test_a_mail_server_whose_challenge_is_none_is_unavailable() -> None:
    with saying(b"220 hi\r\n250-x\r\n250 AUTH CRAM-MD5\r\n334 A\r\n", b"") as port, pytest.raises(Unavailable):
        mailer(port, username="u", password="p").check(timeout=SECONDS)


@pytest.mark.parametrize(
    ("first", "again", "failure"),
    [
        pytest.param(b"\xff\xff\xff\0\x0a5.7\0", b"x", TimedOut, id="a packet that comes byte by byte"),
        pytest.param(b"\0" * 8, b"", Unavailable, id="an empty greeting"),
        pytest.param(b"\x04\0\0\0\x0aab\0", b"", Unavailable, id="a version that is none"),
        pytest.param(b"HTTP/1.1 400 Bad Request\r\n\r\n", b"", PortFailure, id="another protocol"),
    ],
)
def test_a_mysql_that_is_none_is_left_in_time(first: bytes, again: bytes, failure: type[PortFailure]) -> None:
    with saying(first, again, pause=0.05) as port, pytest.raises(failure):
        mysql(port).check(timeout=SECONDS)


def test_what_follows_a_compressed_answer_is_not_read() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n"
    with saying(head + gzip.compress(b"all of it"), b"x" * 65536, listens=1) as port:
        answer = GuardedHttp().call(HttpCall("", "GET", f"http://127.0.0.1:{port}/"), timeout=5)
    assert answer.body == b"all of it"


HOSTILE: tuple[Any, ...] = (
    None, True, -1, 2**63, 1.5, "x", "-1", "http://[", "Mon, 01 Jan 2024 00:00:00 -0000", [], ["a"], [[]], [{}], {}, {"a": 1},
)  # fmt: skip


def variants(good: Any) -> Iterator[bytes]:
    """The answer with each hostile value in each of its places, and texts that are no JSON."""
    for path in _places(good):
        for value in HOSTILE:
            body = orjson.loads(orjson.dumps({"": good}))
            at = body
            for each in ("", *path)[:-1]:
                at = at[each]
            at[("", *path)[-1]] = value
            yield orjson.dumps(body[""])
    yield from (b"", b"{", b"\xff", b'{"a":1e999}', b"[" * 5000, b'{"a":' * 5000)


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield from _places(value[key], (*path, key))


MESSAGE = {"sid": "S", "status": "queued", "to": "+15125550101", "from": "+15125550100", "body": "hi", "code": 20429}
BIRD = {
    "id": "i",
    "reference": "r",
    "recipients": {"items": [{"status": "sent", "price": {"amount": 1}}]},
    "errors": [{"code": 2}],
}
CHAT = {
    "choices": [{"finish_reason": "stop", "message": {"role": "assistant", "content": "x", "tool_calls": [{"function": {}}]}}],
    "model": "m", "usage": {"prompt_tokens": 1, "completion_tokens": 2},
}  # fmt: skip
SENT = Sms(key="k", to="+15125550101", text="hi", asked_at="2024-01-01T00:00:00+00:00")


def _twilio(address: str) -> Any:
    config = twilio.Config.model_validate({"from": "+15125550100", "api_url": address})
    return twilio.Twilio(config, twilio.Secrets(account_sid="AC1", auth_token=SecretStr("t")))


def _bird(address: str) -> Any:
    config = messagebird.Config.model_validate({"from": "+15125550100", "api_url": address})
    return messagebird.MessageBird(config, messagebird.Secrets(access_key=SecretStr("t")))


def _dms(address: str) -> DmsClient:
    return DmsClient(
        configuration={"base_url": address, "api_version": "v1", "timeout_ms": 5000}, endpoints={"customers": "customers"},
        auth_type="api_key", refresh=None, credentials={"api_key": "k"},
    )  # fmt: skip


ASKED: dict[str, tuple[Any, Callable[[str], Any]]] = {
    "Twilio, sending": (MESSAGE, lambda address: _twilio(address).send(SENT, timeout=5)),
    "Twilio, looking": (
        {"messages": [{**MESSAGE, "date_created": "x"}]}, lambda address: _twilio(address).find(SENT, timeout=5),
    ),
    "MessageBird, sending": (BIRD, lambda address: _bird(address).send(SENT, timeout=5)),
    "MessageBird, looking": (
        {"items": [BIRD], "totalCount": 5}, lambda address: _bird(address).find(SENT, timeout=5),
    ),
    "a model": (
        CHAT,
        lambda address: OpenAiCompatible(LlmConfig(base_url=address)).complete(Prompt(key="k", text="t"), timeout=5),
    ),
    "a DMS": ({"customers": [{"id": "1"}], "next": "/n"}, lambda address: _dms(address).read("customers", {}, None)),
}  # fmt: skip


@pytest.mark.parametrize("status", [200, 400])
@pytest.mark.parametrize("asked", ASKED)
def test_no_answer_of_whatever_shape_is_taken_for_a_defect_of_ours(
    asked: str, status: int, server: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, ask = ASKED[asked]
    bodies = list(variants(good))
    turn = itertools.cycle(bodies)
    monkeypatch.setattr(
        GuardedHttp, "call", lambda _self, _call, *, timeout: HttpAnswer(status, {}, next(turn), timeout)
    )
    monkeypatch.setattr("integrations.http.GuardedTransport.handle_request", _answering(status, turn))
    for _ in bodies:
        try:
            ask("https://api.example.com")
        except PortFailure:
            continue


def _answering(status: int, turn: Iterator[bytes]) -> Any:
    def handle(_self: Any, request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(status, content=next(turn), request=request)

    return handle


def test_what_a_model_is_said_to_have_counted_is_believed_as_a_number_only(server: HTTPServer) -> None:
    told = {**CHAT, "usage": {"prompt_tokens": "many", "completion_tokens": -5}, "model": ["x"]}
    server.expect_request("/v1/chat/completions").respond_with_json(told)
    found = OpenAiCompatible(LlmConfig(base_url=server.url_for("/v1"), default_model="mine")).complete(
        Prompt(key="k", text="12345678"), timeout=5
    )
    assert (found.usage.prompt_tokens, found.usage.completion_tokens, found.usage.model) == (2, 1, "mine")


@pytest.mark.parametrize("text", ["```" + "\n" * 300_000, "```json" + " " * 300_000, "``" * 150_000, "```{" * 75_000])
def test_an_answer_of_fences_and_blanks_is_read_at_once(text: str) -> None:
    with pytest.raises(NotTheAnswer):
        read_answer(Prompt(key="k", text="t", labels=("a",)), text)


def test_a_page_of_a_dms_is_found_at_once_among_thousands_of_links(monkeypatch: pytest.MonkeyPatch) -> None:
    link = "<a>;" * 16_000
    monkeypatch.setattr(
        GuardedHttp, "call", lambda _self, _call, *, timeout: HttpAnswer(200, {"Link": link}, b"[]", timeout)
    )
    assert _dms("https://dms.example.com").read("customers", {}, None).after is None


@pytest.mark.parametrize("charset", ["undefined", "unicode_escape", "raw_unicode_escape", "idna", "punycode", "base64"])
def test_a_charset_that_is_none_gives_text_that_can_be_kept(charset: str) -> None:
    assert decode(b"\\ud800 caf\xe9", charset) == "\\ud800 caf\u00e9"
