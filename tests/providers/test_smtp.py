"""SMTP against a real server on loopback: what was sent, and what each failure means for trying again."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope

from engine.ports import Attachment, Mail, NotConfigured, PortFailure, Rejected, TimedOut, Unavailable, Unknown
from integrations.connection_types import CONNECTION_TYPES
from integrations.mail import digest
from integrations.providers.email import smtp
from integrations.providers.email.smtp import Config, Smtp
from integrations.registry import PROVIDERS

pytestmark = pytest.mark.usefixtures("loopback")


class Inbox:
    """What the server does: keeps mails, and answers each stage as the test says."""

    def __init__(self, rcpt: str = "250 OK", data: str = "250 OK") -> None:
        self.rcpt = rcpt
        self.data = data
        self.received: list[Envelope] = []

    async def handle_RCPT(self, server, session, envelope, address, options) -> str:
        if self.rcpt.startswith("250") or not address.startswith("bad"):
            envelope.rcpt_tos.append(address)
            return "250 OK"
        return self.rcpt

    async def handle_DATA(self, server, session, envelope) -> str:
        if self.data.startswith("250"):
            self.received.append(envelope)
        return self.data


@contextmanager
def serving(inbox: Inbox, **more: Any) -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    controller = Controller(inbox, hostname="127.0.0.1", port=port, **more)
    controller.start()
    try:
        yield port
    finally:
        controller.stop()


def mailer(port: int, **more: object) -> Smtp:
    fields = {"host": "127.0.0.1", "port": port, "security": "none", "sender": "Shop <desk@shop.example>"}
    return Smtp(Config.model_validate(fields | more))


def mail(**more: object) -> Mail:
    return Mail(**{"key": "run/mail/0", "to": ["ann@example.com"], "subject": "Hi", "text": ".dot\nHello\n"} | more)  # type: ignore[arg-type]


def test_mail_is_delivered_with_its_message_id() -> None:
    inbox = Inbox()
    with serving(inbox) as port:
        receipt = mailer(port).send(mail(cc=["c@example.com"], bcc=["d@example.com"]), timeout=5)
    [envelope] = inbox.received
    assert isinstance(envelope.content, bytes)
    assert (receipt.message_id, receipt.status, receipt.provider) == (
        f"<{digest('run/mail/0')}@shop.example>",
        "sent",
        "smtp",
    )
    assert envelope.mail_from == "desk@shop.example"
    assert envelope.rcpt_tos == ["ann@example.com", "c@example.com", "d@example.com"]
    assert f"Message-ID: {receipt.message_id}".encode() in envelope.content
    assert envelope.content.endswith(b"\r\n\r\n.dot\r\nHello\r\n")
    assert b"d@example.com" not in envelope.content


@pytest.mark.parametrize(
    ("inbox", "failure"),
    [
        (Inbox(data="451 Try later"), Unavailable),
        (Inbox(data="554 Spam"), Rejected),
        (Inbox(rcpt="450 Mailbox busy"), Unavailable),
        (Inbox(rcpt="550 No such user"), Rejected),
    ],
)
def test_refusal_says_whether_trying_again_helps(inbox: Inbox, failure: type[PortFailure]) -> None:
    with serving(inbox) as port, pytest.raises(failure) as refused:
        mailer(port).send(mail(to=["ann@example.com", "bad@example.com"]), timeout=5)
    assert type(refused.value) is failure
    assert refused.value.details["smtp_code"] in (450, 451, 550, 554)
    assert inbox.received == []


def test_one_refused_recipient_sends_to_nobody() -> None:
    inbox = Inbox(rcpt="550 No such user")
    with serving(inbox) as port, pytest.raises(Rejected, match=r"bad@example\.com: 550"):
        mailer(port).send(mail(to=["ann@example.com", "bad@example.com"]), timeout=5)
    assert inbox.received == []


class Script(threading.Thread):
    """A server that says its lines one after the other, and then hangs up or stays silent."""

    def __init__(self, *lines: str, silent: bool = False) -> None:
        super().__init__(daemon=True)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self._lines = lines
        self._silent = silent
        self._done = threading.Event()

    def __enter__(self) -> Script:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self.join(3)

    def run(self) -> None:
        with self._listening:
            connection, _ = self._listening.accept()
        with connection:
            for place, line in enumerate(self._lines):
                connection.sendall(f"{line}\r\n".encode())
                heard = b""
                while not heard.endswith(b"\r\n.\r\n" if line.startswith("354") else b"\r\n"):
                    got = connection.recv(65536)
                    if not got:
                        return
                    heard += got
                if self._silent and place == len(self._lines) - 1:
                    self._done.wait(3)


UNTIL_TEXT = ("220 hi", "250 hello", "250 sender ok", "250 recipient ok", "354 go on")


def test_connection_lost_after_the_text_is_unknown() -> None:
    with Script(*UNTIL_TEXT) as server, pytest.raises(Unknown, match="may have been sent") as lost:
        mailer(server.port).send(mail(), timeout=5)
    assert lost.value.details == {"reason": "lost"}


def test_silence_after_the_text_is_unknown() -> None:
    with Script(*UNTIL_TEXT, silent=True) as server, pytest.raises(Unknown) as lost:
        mailer(server.port).send(mail(), timeout=0.4)
    assert lost.value.details == {"reason": "timeout"}


@pytest.mark.parametrize("heard", [1, 2, 3, 4])
def test_connection_lost_before_the_text_is_unavailable(heard: int) -> None:
    with Script(*UNTIL_TEXT[:heard]) as server, pytest.raises(Unavailable, match="no mail was sent") as lost:
        mailer(server.port).send(mail(), timeout=5)
    assert not isinstance(lost.value, TimedOut)


@pytest.mark.parametrize("heard", [1, 2, 3, 4])
def test_silence_before_the_text_is_timed_out(heard: int) -> None:
    started = time.monotonic()
    with Script(*UNTIL_TEXT[:heard], silent=True) as server, pytest.raises(TimedOut):
        mailer(server.port).send(mail(), timeout=0.4)
    assert time.monotonic() - started < 2


def test_busy_greeting_is_unavailable() -> None:
    with Script("421 Too many connections") as server, pytest.raises(Unavailable, match="421"):
        mailer(server.port).send(mail(), timeout=5)


def test_closed_port_is_unavailable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(Unavailable, match="connection refused"):
        mailer(port).send(mail(), timeout=5)


def test_inner_host_is_refused_unless_permitted(settings) -> None:
    settings.EGRESS_ALLOW = []
    inbox = Inbox()
    with serving(inbox) as port, pytest.raises(Rejected, match="AUTERITY_EGRESS_ALLOW"):
        mailer(port).send(mail(), timeout=5)
    assert inbox.received == []


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_password_goes_over_verified_tls_only(monkeypatch, settings, certificates, security: str) -> None:
    settings.EGRESS_ALLOW = ["shop.example.com"]
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(certificates.chain)
    seen: list[tuple[bytes, bytes]] = []

    def check(server, session, envelope, mechanism, given) -> AuthResult:
        seen.append((given.login, given.password))
        return AuthResult(success=given.password == b"right", handled=False)

    inbox = Inbox()
    more = {"authenticator": check, "auth_require_tls": security == "starttls"}
    more |= {"tls_context" if security == "starttls" else "ssl_context": server_side}
    network = smtp.egress.Network(lookup=lambda host, port: ["127.0.0.1"])
    with serving(inbox, **more) as port:
        url = f"{'smtp+tls' if security == 'starttls' else 'smtps'}://user%40x:right@shop.example.com:{port}"
        config = Config.model_validate({"url": url, "sender": "desk@shop.example"})
        with pytest.raises(Rejected, match=r"certificate of shop\.example\.com is not valid"):
            Smtp(config, network).send(mail(), timeout=5)
        assert seen == []

        monkeypatch.setattr(smtp, "_tls", lambda: ssl.create_default_context(cafile=certificates.root))
        Smtp(config, network).send(mail(), timeout=5)
        wrong = config.model_copy(update={"password": smtp.SecretStr("wrong-secret")})
        with pytest.raises(Rejected, match="refused the user name or password") as refused:
            Smtp(wrong, network).send(mail(key="run/mail/1"), timeout=5)
    assert (seen[0], seen[-1]) == ((b"user@x", b"right"), (b"user@x", b"wrong-secret"))
    assert "wrong-secret" not in refused.value.message
    assert len(inbox.received) == 1


def test_server_without_starttls_gets_no_password() -> None:
    inbox = Inbox()
    with serving(inbox) as port, pytest.raises(Rejected, match="does not offer"):
        mailer(port, security="starttls", username="u", password="hush").send(mail(), timeout=5)
    assert inbox.received == []


def test_smtp_cannot_tell_whether_it_was_sent() -> None:
    with pytest.raises(Unknown):
        mailer(25).find("run/mail/0")


@pytest.mark.parametrize(
    ("url", "security", "port"),
    [
        ("smtp://mail.example.com", "none", 25),
        ("smtp+tls://u:p%2Fw@mail.example.com", "starttls", 587),
        ("smtps://u:p%2Fw@mail.example.com:2525", "tls", 2525),
    ],
)
def test_url_is_a_short_form(url: str, security: str, port: int) -> None:
    config = Config.model_validate({"url": url, "sender": "a@b.example"})
    assert (config.host, config.security, config.port) == ("mail.example.com", security, port)
    assert config.password.get_secret_value() == ("p/w" if "p%2Fw" in url else "")
    assert "p/w" not in repr(config)


@pytest.mark.parametrize("url", ["http://u:hush@x", "smtp://", "mail.example.com", "smtp://u:hush@x:99999"])
def test_unusable_url_is_not_configured_and_keeps_its_secret(url: str) -> None:
    with pytest.raises(NotConfigured) as refused:
        PROVIDERS.get("email", "smtp").create({"url": url, "sender": "a@b.example"})
    assert "hush" not in str(refused.value)


def own(port: int, credentials: dict[str, str] | None = None, **more: Any) -> Any:
    config = {"host": "127.0.0.1", "port": port, "security": "none", "from": "desk@own.example"}
    return CONNECTION_TYPES.get("smtp").create({**config, **more}, credentials or {})


def test_a_customers_own_server_sends_in_its_name() -> None:
    inbox = Inbox()
    with serving(inbox) as port:
        connection = own(port, reply_to="answers@own.example")
        receipt = connection.send(mail(), timeout=5)
        connection.send(mail(reply_to="other@own.example"), timeout=5)
        assert connection.check(timeout=5) == "127.0.0.1 answered; no mail was sent."
    assert receipt.message_id.endswith("@own.example>")
    assert len(inbox.received) == 2
    assert b"Reply-To: answers@own.example" in bytes(inbox.received[0].content or b"")
    assert b"Reply-To: other@own.example" in bytes(inbox.received[1].content or b"")


def test_a_wrong_login_is_told_when_a_customers_server_is_tried() -> None:
    def refuse(*_: Any) -> AuthResult:
        return AuthResult(success=False, handled=False)

    with serving(Inbox(), authenticator=refuse, auth_require_tls=False) as port:
        with pytest.raises(Rejected, match="refused the user name or password") as told:
            own(port, {"username": "ann", "password": "smtp-marker"}).check(timeout=5)
        assert "smtp-marker" not in repr(told.value)


def test_attachments_arrive_as_they_were() -> None:
    inbox = Inbox()
    content = bytes(range(256)) * 40 + b"\r\n.\r\n..\n"
    with serving(inbox) as port:
        mailer(port).send(mail(attachments=[Attachment("Foto ü.png", "image/png", content)]), timeout=5)
    [envelope] = inbox.received
    assert isinstance(envelope.content, bytes)
    read = message_from_bytes(envelope.content, policy=SMTP)
    assert isinstance(read, EmailMessage)
    [part] = read.iter_attachments()
    assert (part.get_content_type(), part.get_filename(), part.get_content()) == ("image/png", "Foto ü.png", content)
