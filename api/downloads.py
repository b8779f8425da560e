"""A stored file as a response: streamed, never shown inside a page, in parts where the client asks for one (RFC 9110, 14)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from django.http import HttpResponse, StreamingHttpResponse
from django.utils.http import content_disposition_header, parse_etags
from rest_framework.request import Request

from artefacts import selectors
from artefacts.models import Artefact

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


def download(request: Request, row: Artefact) -> Any:
    """200 with all of it, 206 with the part asked for, 304 for who has it already, 416 for a part that is not there."""
    etag = f'"{row.sha256}"'
    if etag in parse_etags(request.headers.get("If-None-Match", "")) or request.headers.get("If-None-Match") == "*":
        return _dressed(HttpResponse(status=304), row, etag)
    wanted = _wanted(request, row, etag)
    if wanted is None:
        response: Any = StreamingHttpResponse(_whole(row), content_type=row.media_type)
        response["Content-Length"] = str(row.size)
        return _dressed(response, row, etag)
    start, length = wanted
    if length < 1:
        response = HttpResponse(status=416, headers={"Content-Range": f"bytes */{row.size}"})
        return _dressed(response, row, etag)
    response = StreamingHttpResponse(selectors.part(row, start, length), status=206, content_type=row.media_type)
    response["Content-Length"] = str(length)
    response["Content-Range"] = f"bytes {start}-{start + length - 1}/{row.size}"
    return _dressed(response, row, etag)


def _whole(row: Artefact) -> Iterable[bytes]:
    """Opened at once, so that missing bytes are an answer in words; read as they are sent."""
    opened = selectors.opened(row)
    reading = opened.__enter__()

    def pieces() -> Iterator[bytes]:
        try:
            yield from reading.pieces()
        finally:
            opened.__exit__(None, None, None)

    return pieces()


def _wanted(request: Request, row: Artefact, etag: str) -> tuple[int, int] | None:
    """(first byte, how many) of one range; None for everything: no range, several of them, or one of another edition."""
    found = _RANGE.fullmatch(request.headers.get("Range", ""))
    if found is None or found.groups() == ("", "") or request.headers.get("If-Range", etag) != etag:
        return None
    first, last = found.groups()
    if not first:  # The last so many bytes.
        length = min(int(last), row.size)
        return row.size - length, length
    end = min(int(last), row.size - 1) if last else row.size - 1
    return (int(first), end - int(first) + 1) if not last or int(last) >= int(first) else None


def _dressed(response: Any, row: Artefact, etag: str) -> Any:
    response["ETag"] = etag
    response["Accept-Ranges"] = "bytes"
    response["Cache-Control"] = "private, no-cache"
    response["Content-Disposition"] = content_disposition_header(True, row.name) or "attachment"
    response["Content-Security-Policy"] = "default-src 'none'; sandbox"
    response["X-Content-Type-Options"] = "nosniff"
    return response
