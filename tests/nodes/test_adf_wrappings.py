"""ADF.md, "Seen in the wild": everything a lead comes wrapped in."""

import quopri
from email.message import EmailMessage
from urllib.parse import urlencode

import pytest
from adf_samples import INNER, adf, lead, mail

WRAPPINGS = {
    "bare": INNER,
    "byte order mark": "\ufeff" + INNER,
    "declaration then instruction": f'<?xml version="1.0"?><?adf version="1.0"?>{INNER}',
    "instruction then declaration": f'<?adf version="1.0"?>\n<?xml version="1.0"?>\n{INNER}',
    "upper case instructions": f'<?ADF VERSION="1.0"?><?XML VERSION="1.0"?>{INNER}',
    "wrong encoding declared": f'<?xml version="1.0" encoding="utf-16"?>{INNER}',
    "text around it": f"Hello,\n\na lead for you: {INNER}\n\nRegards, 3 < 4 & so on",
    "HTML around it": f"<!DOCTYPE html><html><body><p>A lead<br>{INNER}</p></body></html>",
    "HTML 4 around it": f'<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 4.01//EN"><html><body>{INNER}',
    "HTML that shows it": "<html><body><pre>"
    + INNER.replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;").replace("&gt;&lt;", "&gt;<br>\n&lt;")
    + "</pre></body></html>",
    "quoted by a mail program": "\n".join("> " + line for line in INNER.replace("><", ">\n<").splitlines()),
    "quoted-printable without headers": quopri.encodestring(INNER.encode(), quotetabs=True).decode(),
    "posted form": urlencode({"token": "abc", "adf": INNER}),
    "upper case elements": INNER.replace("adf", "ADF").replace("prospect", "Prospect").replace("name", "NAME"),
    "mixed case, not matching": INNER.replace("<adf>", "<ADF>").replace("</name>", "</Name>"),
    "no adf element": INNER.removeprefix("<adf>").removesuffix("</adf>"),
    "namespace": INNER.replace("<adf>", '<adf xmlns="http://www.adfxml.org/schema">'),
    "comment inside": INNER.replace("<customer>", "<!-- the <customer> --><customer>"),
    "HTML breaks inside": INNER.replace("<customer>", "<br><p><customer>"),
    "unknown elements inside": INNER.replace("<customer>", "<leadtype>web<customer>"),
    "control characters inside": INNER.replace("<customer>", "\x0b<customer>\x00"),
    "line breaks inside tags": INNER.replace("<name part", "<name\n\tpart"),
    "folded inside": INNER.replace("Jane Smith", "Jane\n   Smith"),
    "not closed comment after it": INNER + "<!-- the end",
    "unquoted attributes": INNER.replace('"full"', "full"),
}


@pytest.mark.parametrize("wrapping", WRAPPINGS)
@pytest.mark.parametrize("form", ["text", "bytes"])
def test_whatever_it_is_wrapped_in(wrapping: str, form: str) -> None:
    content = WRAPPINGS[wrapping]
    found = lead(content.encode() if form == "bytes" else content)
    assert found["customer"]["name"]["full"] == "Jane Smith"
    assert found["requested_at"] == "2026-11-20T09:14:05Z"


def with_attachment(subtype: str) -> EmailMessage:
    message = EmailMessage()
    message["From"], message["Subject"] = "a@example.com", "Lead"
    message.set_content("The lead is attached.")
    message.add_attachment(INNER.encode(), maintype="application", subtype=subtype, filename="lead.xml")
    return message


def forwarded() -> EmailMessage:
    message = EmailMessage()
    message["From"], message["Subject"] = "a@example.com", "Fwd: Lead"
    message.set_content("See below.")
    message.add_attachment(mail())
    return message


MAILS = {
    "quoted-printable": mail(),
    "base64": mail(cte="base64"),
    "8bit": mail(cte="8bit"),
    "windows-1252": mail(charset="windows-1252"),
    "html": mail(subtype="html"),
    "attached as xml": with_attachment("xml"),
    "attached as bytes": with_attachment("octet-stream"),
    "forwarded": forwarded(),
}


@pytest.mark.parametrize("kind", MAILS)
@pytest.mark.parametrize("form", ["text", "bytes"])
def test_a_whole_mail(kind: str, form: str) -> None:
    data = MAILS[kind].as_bytes()
    found = lead(data if form == "bytes" else data.decode("utf-8"))
    assert found["customer"]["name"]["full"] == "Jane Smith"


def test_a_mail_with_text_and_html_gives_its_lead_once() -> None:
    message = mail()
    message.add_alternative(f"<html><body>{INNER}</body></html>", subtype="html")
    assert lead(message.as_bytes())["customer"]["name"]["full"] == "Jane Smith"


@pytest.mark.parametrize("charset", ["windows-1252", "iso-8859-1", "us-ascii", "utf-8", "x-unknown"])
def test_windows_1252_bytes_whatever_the_mail_declares(charset: str) -> None:
    body = adf("<contact><name part='full'>José “Pepe” Núñez</name></contact>").encode("windows-1252")
    head = (
        f"From: a@example.com\r\nContent-Type: text/plain; charset={charset}\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
    )
    assert lead(head.encode() + body)["customer"]["name"]["full"] == "José “Pepe” Núñez"


@pytest.mark.parametrize("encoding", ["utf-8", "windows-1252", "utf-16"])
def test_bytes_without_a_mail(encoding: str) -> None:
    content = f'<?xml version="1.0" encoding="{encoding}"?>' + adf("<contact><name part='full'>José</name></contact>")
    assert lead(content.encode(encoding))["customer"]["name"]["full"] == "José"


def test_text_that_holds_no_letters_of_ascii_survives_a_mail_given_as_text() -> None:
    head = "From: a@example.com\nContent-Type: text/plain; charset=windows-1252\nContent-Transfer-Encoding: 8bit\n\n"
    content = head + adf("<contact><name part='full'>Łukasz – “Luke” 李</name></contact>")
    assert lead(content)["customer"]["name"]["full"] == "Łukasz – “Luke” 李"
