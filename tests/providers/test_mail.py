"""A mail becomes a message whose headers hold exactly what was meant."""

from __future__ import annotations

from email import message_from_bytes
from email.message import EmailMessage, Message
from email.policy import SMTP, default

import pytest

from engine.ports import Attachment, Mail, Rejected
from integrations.mail import as_bytes, build, digest, recipients

SENDER = "Auterity <no-reply@auterity.local>"


def parsed(mail: Mail):
    return message_from_bytes(as_bytes(build(mail, SENDER)), policy=default)


def test_text_and_html_become_alternatives() -> None:
    message = parsed(
        Mail(key="k", to=["ann@example.com"], subject="Grüße 🚗", text="Hallo Ännchen\n", html="<p>Hallo</p>")
    )
    assert message.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]
    assert message.get_body(("plain",)).get_content() == "Hallo Ännchen\r\n"
    assert message["Subject"] == "Grüße 🚗"
    assert message["From"] == SENDER


@pytest.mark.parametrize(
    ("text", "html", "kind"), [("a", "", "text/plain"), ("", "<p>a</p>", "text/html"), ("", "", "text/plain")]
)
def test_one_body_stays_single(text: str, html: str, kind: str) -> None:
    assert parsed(Mail(key="k", to=["a@b.example"], subject="s", text=text, html=html)).get_content_type() == kind


def test_message_id_follows_from_the_key_and_the_sender() -> None:
    first, again, other = (
        parsed(Mail(key=key, to=["a@b.example"], subject="s", sender="x@shop.example"))["Message-ID"]
        for key in ("run/mail/0", "run/mail/0", "run/mail/1")
    )
    assert first == again == f"<{digest('run/mail/0')}@shop.example>"
    assert other != first


def test_blind_copies_are_in_the_envelope_only() -> None:
    mail = Mail(
        key="k", to=["Ann Lee <a@b.example>"], cc=["c@b.example"], bcc=["d@b.example", "a@b.example"], subject="s"
    )
    assert recipients(mail) == ["a@b.example", "c@b.example", "d@b.example"]
    assert b"d@b.example" not in as_bytes(build(mail, SENDER))


def test_own_headers_and_reply_to() -> None:
    mail = Mail(key="k", to=["a@b.example"], subject="s", reply_to="desk@b.example", headers={"X-Campaign": "june"})
    message = parsed(mail)
    assert (message["Reply-To"], message["X-Campaign"]) == ("desk@b.example", "june")


@pytest.mark.parametrize(
    "fields",
    [
        {"subject": "Hi\r\nBcc: evil@example.com"},
        {"subject": "Hi\nX: y"},
        {"to": ["a@b.example\r\nBcc: evil@example.com"]},
        {"to": ["a@b.example, evil@example.com"]},
        {"to": ["nobody"]},
        {"to": ["a b@c.example"]},
        {"to": [""]},
        {"to": []},
        {"sender": "x\n <a@b.example>"},
        {"reply_to": "not an address"},
        {"headers": {"X-A": "b\r\nBcc: evil@example.com"}},
        {"headers": {"X-A\r\nBcc": "evil@example.com"}},
        {"headers": {"Bcc": "evil@example.com"}},
        {"headers": {"content-type": "text/evil"}},
        {"headers": {"Message-ID": "<own@example.com>"}},
    ],
)
def test_headers_cannot_be_smuggled(fields: dict) -> None:
    with pytest.raises(Rejected):
        build(Mail(**{"key": "k", "to": ["a@b.example"], "subject": "s"} | fields), SENDER)


def mail(**more: object) -> Mail:
    return Mail(**{"key": "k", "to": ["ann@example.com"], "subject": "Hi", "text": "Hello"} | more)  # type: ignore[arg-type]


OFFER = Attachment("Angebot für Jürgen.pdf", "application/pdf", b"%PDF-1.7\n\x00\xff")


def parts_of(message: EmailMessage) -> list[tuple[str, str | None, bytes]]:
    """What a reader makes of the attachments, from the bytes on the wire."""
    read = message_from_bytes(as_bytes(message), policy=SMTP)
    assert isinstance(read, EmailMessage)
    return [(each.get_content_type(), each.get_filename(), as_raw(each)) for each in read.iter_attachments()]


def as_raw(part: Message) -> bytes:
    found = part.get_payload(decode=True)
    assert isinstance(found, bytes)
    return found


def test_attachments_go_beside_text_and_html() -> None:
    rows = Attachment("rows.csv", "text/csv; charset=utf-8", b"a,b\n")
    built = build(mail(text="Hello", html="<p>Hello</p>", attachments=[OFFER, rows]), "desk@shop.example")
    assert built.get_content_type() == "multipart/mixed"
    assert as_bytes(built).isascii()
    assert parts_of(built) == [
        ("application/pdf", "Angebot für Jürgen.pdf", OFFER.content),
        ("text/csv", "rows.csv", b"a,b\n"),
    ]
    body = built.get_body(("plain",))
    assert body is not None
    assert body.get_content() == "Hello\n"


@pytest.mark.parametrize(
    ("name", "media_type", "shown"),
    [
        ('a"\r\nBcc: x@y.example\r\n.pdf', "application/pdf", ("application/pdf", "a_Bcc: x@y.example_.pdf")),
        ("../../etc/passwd", "text/plain\r\nX: y", ("application/octet-stream", "_.._etc_passwd")),
        ("", "nonsense", ("application/octet-stream", "attachment")),
        ("old.eml", "message/rfc822", ("application/octet-stream", "old.eml")),
    ],
)
def test_a_name_or_type_cannot_add_headers(name: str, media_type: str, shown: tuple[str, str]) -> None:
    built = build(mail(attachments=[Attachment(name, media_type, b"x")]), "desk@shop.example")
    assert [(kind, called) for kind, called, _ in parts_of(built)] == [shown]
    assert b"\r\nBcc:" not in as_bytes(built)


def test_attachments_that_are_too_large_are_refused() -> None:
    half = Attachment("a.bin", "application/octet-stream", b"x" * (10 * 1024 * 1024 + 1))
    with pytest.raises(Rejected, match="20,971,522 bytes together; a mail may carry 20,971,520"):
        build(mail(attachments=[half, half]), "desk@shop.example")
