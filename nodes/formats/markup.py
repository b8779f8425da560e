"""Making almost-XML well-formed: bare `&` and `<`, unquoted attributes, HTML entities, tags of a mail around them.

Every search here goes forward once, so the time is in proportion to the text.
"""

from __future__ import annotations

import html
import re
from collections.abc import Collection
from html.entities import html5
from xml.sax.saxutils import escape, quoteattr

_MARKUP = re.compile(r"<(?=[A-Za-z_/!?])")
_TAG = re.compile(r"<(/?)([A-Za-z_][\w.:-]{0,60})((?:\s[^<>]{0,4000})?)>")
_SELF_CLOSED = re.compile(r"<([A-Za-z_][\w.:-]{0,60})()((?:\s[^<>]{0,4000}?)?)\s?/>")
_ATTRIBUTE = re.compile(r"(?<![\w.:-])([A-Za-z_][\w.:-]{0,60})\s{0,20}=\s{0,20}(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'>]+))")
_ENTITY = re.compile(r"&(?:#(\d{1,7})|#[xX]([0-9A-Fa-f]{1,6})|([A-Za-z][A-Za-z0-9]{1,30}));")
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_BREAK = re.compile(r"<(?:br|/p|/div|/tr|/li)\b[^<>]*>", re.IGNORECASE)
_ANY_TAG = re.compile(r"</?[A-Za-z][^<>]*>")


def repaired(text: str, elements: Collection[str]) -> str:
    """The text as well-formed as can be: only tags of `elements` (lower case) are kept, in lower case, properly quoted.

    Other tags are dropped and their text kept; comments and instructions are dropped; CDATA becomes plain text.
    """
    out: list[str] = []
    closers = {"<!--": "-->", "<![CDATA[": "]]>", "<?": "?>"}
    at = 0
    while at < len(text):
        found = _MARKUP.search(text, at)
        if found is None:
            break
        sign = found.start()
        out.append(_clean_text(text[at:sign]))
        opener = next((each for each in closers if text.startswith(each, sign)), None)
        if opener is not None:
            end = text.find(closers[opener], sign + len(opener))
            if end < 0:
                del closers[opener]  # Never closed: from here on its opener is but text, and is not searched again.
                at = sign
                continue
            if opener == "<![CDATA[":
                out.append(escape(_NOT_XML.sub("", text[sign + len(opener) : end])))
            at = end + len(closers[opener])
            continue
        markup, at = _tag(text, sign, elements)
        out.append(markup)
    out.append(_clean_text(text[at:]))
    return "".join(out)


def without_html(text: str) -> str:
    """The text an HTML page shows, where it shows the XML as text (`&lt;adf&gt;`)."""
    return html.unescape(_ANY_TAG.sub("", _BREAK.sub("\n", text))).replace("\xa0", " ")


def _tag(text: str, at: int, elements: Collection[str]) -> tuple[str, int]:
    """The tag at a `<` in proper form, or `&lt;` where there is none; and where to go on."""
    closed = _SELF_CLOSED.match(text, at)
    match = closed or _TAG.match(text, at)
    if match is None:
        return "&lt;", at + 1
    name = match[2].lower() if closed is None else match[1].lower()
    if name not in elements:
        return ("\n" if _BREAK.match(match[0]) else ""), match.end()
    if closed is None and match[1]:
        return f"</{name}>", match.end()
    given = {each[1].lower(): each[2] or each[3] or each[4] or "" for each in _ATTRIBUTE.finditer(match[3])}
    attributes = "".join(f" {key}={_quoted(value)}" for key, value in given.items() if ":" not in key)
    return f"<{name}{attributes}{'/' if closed else ''}>", match.end()


def _quoted(value: str) -> str:
    return quoteattr(_NOT_XML.sub("", _ENTITY.sub(_character, value)))


def _clean_text(text: str) -> str:
    return escape(_NOT_XML.sub("", _ENTITY.sub(_character, text)))


def _character(match: re.Match[str]) -> str:
    """What an entity stands for; itself, as text, where it stands for nothing."""
    if match[3]:
        return html5.get(f"{match[3]};", match[0])
    number = int(match[1]) if match[1] else int(match[2], 16)
    return chr(number) if 0 < number < 0x110000 else ""
