"""Finding the ADF in whatever it came in, and reading it as XML (ADF.md, "Seen in the wild")."""

from __future__ import annotations

import quopri
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import tzinfo
from urllib.parse import parse_qsl
from xml.etree.ElementTree import Element

from nodes.formats.content import MIB, Unreadable, check_size, decode
from nodes.formats.mail import looks_like_mail, read_mail
from nodes.formats.markup import repaired, without_html
from nodes.formats.xml import local_name, read_xml

ELEMENTS = frozenset({
    "adf", "prospect", "id", "requestdate", "vehicle", "year", "make", "model", "vin", "stock", "trim", "doors",
    "bodystyle", "transmission", "odometer", "condition", "colorcombination", "interiorcolor", "exteriorcolor",
    "preference", "imagetag", "price", "pricecomments", "option", "optionname", "manufacturercode", "weighting",
    "finance", "method", "amount", "balance", "comments", "customer", "contact", "name", "email", "phone",
    "address", "street", "apartment", "city", "regioncode", "region", "postalcode", "country", "timeframe",
    "description", "earliestdate", "latestdate", "vendor", "vendorname", "url", "provider", "service",
})  # fmt: skip
_OPEN = re.compile(r"<adf(?=[\s>])", re.IGNORECASE)
_CLOSE = re.compile(r"</adf\s{0,20}>", re.IGNORECASE)
_OPEN_PROSPECT = re.compile(r"<prospect(?=[\s>])", re.IGNORECASE)
_CLOSE_PROSPECT = re.compile(r"</prospect\s{0,20}>", re.IGNORECASE)
_ENCODED_SIGN = re.compile(r"=3D|=\r?\n")
_PLAIN_SIGN = re.compile(r"=(?![0-9A-Fa-f]{2}|[ \t]{0,20}\r?\n)")
_DTD = re.compile(r"<!\s{0,5}(?:ENTITY|ELEMENT|ATTLIST|NOTATION|DOCTYPE(?!\s+html))", re.IGNORECASE)
_TRACE = re.compile(r"(?:<|&lt;|&#60;|%3c)(?:adf|prospect)(?![a-z])", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class AdfDocument:
    """One `<adf>` element: its text as it was found, its root (all names in lower case), the mail's zone if known."""

    text: str
    root: Element
    zone: tzinfo | None = None


def read_documents(content: str | bytes) -> list[AdfDocument]:
    """Every ADF document in a content. Raises `Unreadable` naming what is wrong."""
    check_size(content, MIB, "ADF message")
    text, zone = _bearing_text(content)
    return [AdfDocument(each, _read(each), zone) for each in _slices(text)]


def looks_like_adf(text: str) -> bool:
    """Whether a text is to be read as ADF: it shows one in some wrapping, or is a mail that may hold one."""
    return _TRACE.search(text) is not None or looks_like_mail(text)


def _bearing_text(content: str | bytes) -> tuple[str, tzinfo | None]:
    """The text that holds the ADF as plain markup, taken out of mail, form field, quoted-printable and HTML."""
    text = content if isinstance(content, str) else decode(content, _declared_encoding(content))
    candidates, zone = [text], None
    if looks_like_mail(text):
        try:
            letter = read_mail(content)
            candidates, zone = [*letter.texts, text], letter.zone
        except (RecursionError, ValueError, LookupError, AssertionError):
            candidates = [text]  # A message too broken for the mail parser may still show its ADF.
    for candidate in candidates:
        found = _unwrapped(candidate)
        if found is not None:
            return found, zone
    raise Unreadable(
        "No ADF lead was found: the content has neither an <adf> nor a <prospect> element. "
        "Give the whole e-mail or the XML itself."
    )


def _unwrapped(text: str) -> str | None:
    """The text with `<adf>` or `<prospect>` in plain sight, or None where there is none."""
    for reading in _readings(text):
        if _OPEN.search(reading) or _OPEN_PROSPECT.search(reading):
            _refuse_dtd(text)
            _refuse_dtd(reading)
            return reading
    return None


def _readings(text: str) -> Iterator[str]:
    """A text, and what it is when taken as quoted-printable, as a page that shows XML, as a posted form."""
    if _is_quoted_printable(text):
        plain = decode(quopri.decodestring(text.encode(errors="replace")))
        yield from (plain, without_html(plain))
    yield text
    if _TRACE.search(text):
        yield without_html(text)
        yield from _form_values(text)


def _is_quoted_printable(text: str) -> bool:
    """There, an equals sign of the markup is always written =3D; a plain one shows that nothing is encoded."""
    trace = _TRACE.search(text)
    body = text[trace.start() :] if trace else text
    return _ENCODED_SIGN.search(body) is not None and _PLAIN_SIGN.search(body) is None


def _form_values(text: str) -> list[str]:
    try:
        return [value for _name, value in parse_qsl(text.strip(), max_num_fields=100) if "<" in value]
    except ValueError:
        return []


def _refuse_dtd(text: str) -> None:
    if _DTD.search(_without_cdata(text)):
        raise Unreadable(
            "The ADF message holds a document type definition or an entity declaration (<!DOCTYPE …>, <!ENTITY …>). "
            "Those can read foreign files, so they are refused; ask the sender to leave them out."
        )


def _without_cdata(text: str) -> str:
    kept: list[str] = []
    at = 0
    while (start := text.find("<![CDATA[", at)) >= 0 and (end := text.find("]]>", start)) >= 0:
        kept.append(text[at:start])
        at = end + 3
    return "".join([*kept, text[at:]])


def _slices(text: str) -> list[str]:
    """The text of every ADF document; prospects without an `<adf>` around them make one together."""
    found: list[str] = []
    at = 0
    while start := _OPEN.search(text, at):
        end = _CLOSE.search(text, start.end())
        if end is None:
            raise Unreadable("The ADF document is cut off: </adf> is missing. Ask the sender for the whole message.")
        found.append(text[start.start() : end.end()])
        at = end.end()
    if found:
        return found
    start = _OPEN_PROSPECT.search(text)
    ends = list(_CLOSE_PROSPECT.finditer(text))
    if start is None or not ends:
        raise Unreadable("The ADF document is cut off: </prospect> is missing. Ask the sender for the whole message.")
    return [text[start.start() : ends[-1].end()]]


def _read(text: str) -> Element:
    """As strict XML where it is, else repaired. Raises `Unreadable` with the reason of the repaired reading."""
    document = text if _OPEN.match(text) else f"<adf>{text}</adf>"
    try:
        root = read_xml(document)
    except Unreadable:
        root = _read_repaired(document)
    for element in root.iter():
        element.tag = local_name(element).lower()
        element.attrib = {name.rpartition("}")[2].lower(): value for name, value in element.attrib.items()}
    return root


def _read_repaired(document: str) -> Element:
    try:
        return read_xml(repaired(document, ELEMENTS))
    except Unreadable as error:
        raise Unreadable(
            f"The ADF document cannot be read even after mending it. {error.message} "
            "Look for an element that is opened and not closed, or closed and not opened."
        ) from error


def _declared_encoding(data: bytes) -> str | None:
    match = re.search(rb"<\?xml[^>]{0,200}?encoding\s*=\s*[\"']?([\w.-]{1,40})", data[:100_000], re.IGNORECASE)
    return match[1].decode("ascii", errors="replace") if match else None
