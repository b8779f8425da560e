"""ADF documents to make variants of, and what reading them gives."""

from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from nodes.formats.adf import parse_adf
from nodes.formats.content import Unreadable

DATA = Path(__file__).parent.parent / "data" / "adf"
CLEAN = (DATA / "clean.xml").read_text()


def adf(customer: str = "<contact><name part='full'>Jane Smith</name></contact>", rest: str = "") -> str:
    return f"<adf><prospect>{rest}<customer>{customer}</customer></prospect></adf>"


def lead(content: str | bytes) -> dict[str, Any]:
    leads = parse_adf(content)
    assert len(leads.items) == 1
    assert leads.problems == []
    return leads.items[0]


def refusal(content: str | bytes) -> str:
    with pytest.raises(Unreadable) as refused:
        parse_adf(content)
    return refused.value.message


INNER = adf(rest="<requestdate>2026-11-20T09:14:05Z</requestdate>").replace("'", '"')


def mail(
    subtype: str = "plain", charset: str = "utf-8", cte: str = "quoted-printable", text: str = INNER
) -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "a@example.com", "b@example.org", "Lead"
    message["Date"] = "Fri, 20 Nov 2026 15:02:11 -0600"
    message.set_content(f"A lead – for you\n\n{text}\n\nBye", subtype=subtype, charset=charset, cte=cte)
    return message
