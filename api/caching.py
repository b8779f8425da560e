"""What may be kept of an answer, and for how long: ETags, 304 and Cache-Control, at the edge (RFC 9110, 8.8 and 13; RFC 9111)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.http import parse_etags

from api.base import refused
from api.dialect import DIALECTS

READING = ("GET", "HEAD")
_OF_THE_BODY = ("Content-Disposition", "Content-Length", "Content-Type")


class CachingMiddleware:
    """An API's answers are private and asked for again each time, with an ETag so that what did not change is not sent again.

    A view says otherwise with a Cache-Control of its own; what is `no-store` has no ETag.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if getattr(request, "body_refused", False):  # By the server, before the body was taken.
            response: HttpResponseBase = refused(request, RequestDataTooBig())
        else:
            response = self._get_response(request)
        if DIALECTS.of_path(request.path_info) is None:
            return response
        reading = request.method in READING
        good = reading and response.status_code in (200, 206, 304)
        response.headers.setdefault("Cache-Control", "private, no-cache" if good else "no-store")
        if not good or response.status_code != 200 or _secret(response) or not isinstance(response, HttpResponse):
            return response
        if "ETag" not in response.headers:
            response["ETag"] = _etag(response)
        return _not_modified(response) if _has(request, response["ETag"]) else response


def _etag(response: HttpResponse) -> str:
    """Of the bytes and their type. Where the body shows a revision it comes first, for `If-Match` to name."""
    digest = hashlib.blake2b(response.headers.get("Content-Type", "").encode(), digest_size=12)
    digest.update(response.content)
    revision = getattr(response, "revision", None)
    return f'"{digest.hexdigest()}"' if revision is None else f'"{revision}-{digest.hexdigest()}"'


def _secret(response: HttpResponseBase) -> bool:
    return "no-store" in response.headers["Cache-Control"]


def _has(request: HttpRequest, etag: str) -> bool:
    """Whether the client has this already. By weak comparison, as RFC 9110, 13.1.2 says."""
    asked = request.headers.get("If-None-Match", "").strip()
    return asked == "*" or etag.removeprefix("W/") in (each.removeprefix("W/") for each in parse_etags(asked))


def _not_modified(response: HttpResponse) -> HttpResponse:
    """The same answer without its body and what describes it."""
    response.status_code = 304
    response.content = b""
    for name in _OF_THE_BODY:
        response.headers.pop(name, None)
    return response
