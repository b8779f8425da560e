"""A mail becomes a message whose headers hold exactly what was meant."""

from __future__ import annotations

from email import message_from_bytes
from email.policy import default

import pytest

from engine.ports import Mail, Rejected
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
