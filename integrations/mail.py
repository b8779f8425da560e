"""One message as MIME (RFC 5322), for every provider that sends or stores it whole."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import format_datetime, parseaddr

from engine.ports import Attachment, Mail, Rejected

_HEADER_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,76}\Z")
_FORBIDDEN = re.compile(r"[\r\n\0]")
_ADDRESS = re.compile(r"[^\s<>()\[\],;:\\\"@]{1,64}@[^\s<>()\[\],;:\\\"@]{1,253}\Z")
MAX_ATTACHED = 20 * 1024 * 1024  # bytes of all attachments, before they grow by a third on the wire
_NO_NAME = re.compile(r"[\x00-\x1f\x7f/\\\"]+")
_MEDIA_TYPE = re.compile(r"([a-z0-9][a-z0-9.+-]{0,60})/([a-z0-9][a-z0-9.+-]{0,90})\Z")
_NO_LEAF = ("message", "multipart")  # These hold further messages, and may not be written as base64.
_OURS = {
    "from",
    "to",
    "cc",
    "bcc",
    "sender",
    "reply-to",
    "subject",
    "date",
    "message-id",
    "mime-version",
    "return-path",
}


def digest(key: str) -> str:
    """What a mail's key becomes in a Message-ID or a file name: 40 hexadecimal digits."""
    return hashlib.sha256(key.encode()).hexdigest()[:40]


def message_id(mail: Mail, default_sender: str) -> str:
    """The Message-ID of a mail: the same key from the same sender gives the same one."""
    return f"<{digest(mail.key)}@{_address('from', mail.sender or default_sender).domain}>"


def recipients(mail: Mail) -> list[str]:
    """Everyone the envelope names, once each. Raises Rejected when there is nobody or an address cannot be one."""
    everyone = [_address(field, each).addr_spec for field, each in _receivers(mail)]
    if not everyone:
        raise Rejected("The mail has no recipient.", rule="mail.to")
    return list(dict.fromkeys(everyone))


def envelope_sender(mail: Mail, default_sender: str) -> str:
    """The bare address that bounces go to."""
    return _address("from", mail.sender or default_sender).addr_spec


def checked_address(text: str) -> str:
    """An address as a mail may carry it: `a@b.c` or `Name <a@b.c>`. Raises `ValueError` with a sentence."""
    try:
        _address("address", text)
    except Rejected as refusal:
        raise ValueError(refusal.message) from None
    return text.strip()


def build(mail: Mail, default_sender: str, *, show_bcc: bool = False) -> EmailMessage:
    """The whole message: text and HTML together are multipart/alternative, attachments go beside them (multipart/mixed).

    Raises Rejected for unusable headers, and for attachments of more than 20 MiB.
    """
    recipients(mail)
    message = EmailMessage(policy=SMTP)
    message["From"] = _address("from", mail.sender or default_sender)
    for name, addresses in (("To", mail.to), ("Cc", mail.cc), ("Bcc", mail.bcc if show_bcc else ())):
        if addresses:
            message[name] = tuple(_address(name.lower(), each) for each in addresses)
    if mail.reply_to:
        message["Reply-To"] = _address("reply-to", mail.reply_to)
    message["Subject"] = _plain("subject", mail.subject)
    message["Date"] = format_datetime(datetime.now(UTC))
    message["Message-ID"] = message_id(mail, default_sender)
    for name, value in mail.headers.items():
        if not _HEADER_NAME.match(name) or name.lower() in _OURS or name.lower().startswith("content-"):
            raise Rejected(f"The mail header {name[:40]!r} cannot be set.", rule="mail.header")
        message[name] = _plain(name, value)
    if mail.text or not mail.html:
        message.set_content(mail.text)
        if mail.html:
            message.add_alternative(mail.html, subtype="html")
    else:
        message.set_content(mail.html, subtype="html")
    _attach(message, mail.attachments)
    return message


def as_bytes(message: EmailMessage, *, utf8: bool = False) -> bytes:
    """The message on the wire, with CRLF line ends. `utf8` leaves non-ASCII headers unencoded (RFC 6531)."""
    return message.as_bytes(policy=SMTPUTF8 if utf8 else SMTP)


def _attach(message: EmailMessage, attachments: Sequence[Attachment]) -> None:
    """Each as base64 under its name, which the library writes as RFC 2231 wants it where it is not plain ASCII."""
    size = sum(len(each.content) for each in attachments)
    if size > MAX_ATTACHED:
        raise Rejected(
            f"The attachments have {size:,} bytes together; a mail may carry {MAX_ATTACHED:,}.", rule="mail.attachments"
        )
    for each in attachments:
        said = _MEDIA_TYPE.match(each.media_type.partition(";")[0].strip().lower())
        main, sub = said.groups() if said and said[1] not in _NO_LEAF else ("application", "octet-stream")
        name = _NO_NAME.sub("_", each.name).strip(" .")[:200] or "attachment"
        message.add_attachment(each.content, maintype=main, subtype=sub, filename=name)


def _receivers(mail: Mail) -> list[tuple[str, str]]:
    fields = (("to", mail.to), ("cc", mail.cc), ("bcc", mail.bcc))
    return [(field, each) for field, addresses in fields for each in addresses]


def _address(field: str, text: str) -> Address:
    """`a@b.c` or `Name <a@b.c>`. Raises Rejected."""
    name, spec = parseaddr(_plain(field, text).strip())
    if not _ADDRESS.match(spec) or (not name and spec != text.strip().strip("<>")):
        raise Rejected(f"{text[:120]!r} is not an e-mail address ({field}).", rule="mail.address")
    user, _, domain = spec.rpartition("@")
    return Address(name, user, domain)


def _plain(field: str, text: str) -> str:
    """A line break in a header would start another header."""
    if _FORBIDDEN.search(text):
        raise Rejected(f"The mail's {field} holds a line break.", rule="mail.header")
    return text
