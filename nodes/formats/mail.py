"""The texts of a whole RFC 822 message, given as its raw source."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import tzinfo
from email import message_from_bytes
from email.message import Message
from email.utils import parsedate_to_datetime

from nodes.formats.content import decode

_FIRST_LINE = re.compile(r"\s*(?:From |[A-Za-z][A-Za-z0-9-]{1,60}:)")
_KNOWN = re.compile(
    r"^(?:from|to|subject|date|mime-version|content-type|content-transfer-encoding|received|return-path|message-id):",
    re.IGNORECASE | re.MULTILINE,
)
_BLANK_LINE = re.compile(r"\n[ \t]*\r?\n")


@dataclass(frozen=True, slots=True)
class Letter:
    """`texts` are the decoded parts, in order; `zone` is that of the Date header, where it names one."""

    texts: list[str]
    zone: tzinfo | None


def looks_like_mail(text: str) -> bool:
    """Whether a text begins with mail headers."""
    if not _FIRST_LINE.match(text):
        return False
    start = text.lstrip()
    end = _BLANK_LINE.search(start)
    head = start[: end.start()] if end else start[:10_000]
    return _KNOWN.search(head) is not None


def read_mail(content: str | bytes) -> Letter:
    """Every text a message carries: bodies, attachments, forwarded messages."""
    data = content.encode(errors="replace") if isinstance(content, str) else content
    message = message_from_bytes(data.lstrip())
    parts = [part for part in message.walk() if not part.is_multipart()]
    return Letter([_text(part) for part in parts], _zone(message))


def _text(part: Message) -> str:
    payload = part.get_payload(decode=True)
    return decode(payload, part.get_content_charset()) if isinstance(payload, bytes) else ""


def _zone(message: Message) -> tzinfo | None:
    try:
        return parsedate_to_datetime(str(message.get("Date", ""))).tzinfo
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
