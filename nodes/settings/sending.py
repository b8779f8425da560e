"""The body that `api-integration` sends, and the name of a file that an answer brings. Pure but for reading stored files."""

from __future__ import annotations

import hashlib
import json
import mimetypes
from collections.abc import Iterator, Mapping
from email.message import Message
from email.utils import collapse_rfc2231_value
from typing import Any, Literal
from urllib.parse import unquote, urlencode, urlsplit

from engine.expression_values import as_text
from engine.node import Step
from nodes.settings.files import MIB, file_id, media_type_of, names_a_file, safe_name

MAX_SENT = 20 * MIB  # of stored files in one call

BodyType = Literal["json", "form", "text", "file", "multipart"]
_MEDIA_TYPES = {
    "json": "application/json",
    "form": "application/x-www-form-urlencoded",
    "text": "text/plain; charset=utf-8",
}
_IN_A_NAME = str.maketrans({'"': "%22", "\r": "%0D", "\n": "%0A"})  # As browsers write names into a part's header.


def encoded(body: Any, body_type: BodyType, step: Step) -> tuple[bytes, str]:
    """The bytes and their media type. Raises Rejected for a stored file that is missing or too large."""
    if body_type == "file":
        stored = step.ports.files.read(file_id(body), max_bytes=MAX_SENT)
        return stored.content, stored.media_type
    if body_type == "multipart":
        return _multipart(list(_pairs(body)), step)
    if body_type == "form":
        return urlencode([(name, as_text(each)) for name, each in _pairs(body)]).encode(), _MEDIA_TYPES["form"]
    if body_type == "json":
        written = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
        return written, _MEDIA_TYPES["json"]
    return as_text(body).encode(), _MEDIA_TYPES["text"]


def _pairs(body: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """A list gives its name several times; null leaves one out."""
    for name, value in body.items():
        for each in value if isinstance(value, list) else [value]:
            if each is not None:
                yield name, each


def _multipart(pairs: list[tuple[str, Any]], step: Step) -> tuple[bytes, str]:
    """multipart/form-data (RFC 7578). The boundary follows from the step's key, so that a repeat sends the same bytes."""
    parts: list[tuple[str, bytes]] = []
    left = MAX_SENT
    for name, value in pairs:
        said = f'form-data; name="{name.translate(_IN_A_NAME)}"'
        if names_a_file(value):
            stored = step.ports.files.read(file_id(value), max_bytes=left)
            left -= len(stored.content)
            shown = safe_name(stored.name, "file").translate(_IN_A_NAME)
            head = (
                f'Content-Disposition: {said}; filename="{shown}"\r\nContent-Type: {media_type_of(stored.media_type)}'
            )
            parts.append((head, stored.content))
        else:
            parts.append((f"Content-Disposition: {said}", as_text(value).encode()))
    boundary = hashlib.sha256(step.key.encode()).hexdigest()
    while any(boundary.encode() in content for _, content in parts):
        boundary = hashlib.sha256(boundary.encode()).hexdigest()
    pieces = [b"--%s\r\n%s\r\n\r\n%s\r\n" % (boundary.encode(), head.encode(), content) for head, content in parts]
    written = b"".join([*pieces, b"--%s--\r\n" % boundary.encode()])
    return written, f"multipart/form-data; boundary={boundary}"


def kept(body: bytes, headers: Mapping[str, str], url: str, step: Step) -> dict[str, Any]:
    """Store an answer's body; what is told of it. `headers` have names in lower case."""
    media_type = media_type_of(headers.get("content-type", ""))
    name = _name(headers.get("content-disposition", ""), url, media_type)
    made = step.ports.files.store(name, media_type, [body], key=f"{step.key}/answer")
    return {"file": made, "name": name, "media_type": media_type, "size": len(body)}


def _name(disposition: str, url: str, media_type: str) -> str:
    """What the answer calls it, else the end of the address, else a plain name; never with a folder."""
    said = Message()
    said["Content-Disposition"] = "".join(each for each in disposition if each.isprintable())[:1000]
    named = [each for key, each in said.get_params([], "Content-Disposition") if key == "filename"]
    named.sort(key=lambda each: isinstance(each, str))  # What says its charset (filename*) goes before what does not.
    try:
        called = collapse_rfc2231_value(named[0]) if named else ""
    except (LookupError, ValueError):
        called = ""
    for each in (called, unquote(urlsplit(url).path)):
        last = safe_name(each.replace("\\", "/").rpartition("/")[2])
        if last and (each is called or "." in last):
            return last
    return f"answer{mimetypes.guess_extension(media_type) or ''}"


def check_stored(body: Any, body_type: BodyType, *, templated: bool) -> str:
    """What is wrong with a body of these kinds, or ""."""
    if templated:
        return ""
    if body_type == "file" and not file_id(body):
        return "Give the id of a stored file, such as {{ steps.read.artefact }}."
    if body_type == "multipart" and not isinstance(body, Mapping):
        return 'Give a map of names and values; a value {"file": id} sends a stored file.'
    return ""


def empty_file(url: str) -> dict[str, Any]:
    """What a file would be told as, for trying out."""
    name = _name("", url, "application/octet-stream")
    return {
        "file": "00000000-0000-7000-8000-000000000000",
        "name": name,
        "media_type": "application/octet-stream",
        "size": 0,
    }
