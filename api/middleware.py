"""What every request and every answer passes: an id for the trail, the client's address, limits, and what browsers are told."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from typing import Final
from urllib.parse import SplitResult

import structlog
from corsheaders.middleware import CorsMiddleware
from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import get_resolver

from api.addresses import forwarded
from api.base import said
from api.dialect import DIALECTS, Dialect
from api.needs import refuse_undeclared
from api.throttling import AREAS, Area, refusal, take, tell
from audit.origin import Origin, coming_from
from auterity.kernel.logs import without_links

_GOOD_ID = re.compile(r"[A-Za-z0-9-]{8,64}")
API_PAGES: Final = "default-src 'self'"
# 003, "Security Headers": on every answer of every kind. A page that says something stricter or wider keeps it.
SECURITY: Final = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "X-XSS-Protection": "1; mode=block",
    "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
    "Referrer-Policy": "same-origin",
}
# The operators' site: Alpine.js evaluates the expressions in its attributes, and charts are styled as they are drawn.
OPERATORS_POLICY: Final = (
    "default-src 'self'; script-src 'self' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "font-src 'self' data:; frame-ancestors 'none'; base-uri 'self'; form-action 'self'; object-src 'none'"
)

GetResponse = Callable[[HttpRequest], HttpResponseBase]


class EdgeMiddleware:
    """The outermost of ours.

    Takes the caller's X-Request-ID when it is 8 to 64 of A-Z, a-z, 0-9 and -, else makes one (cross.yaml, errors). Paths work
    with and without a trailing slash. REMOTE_ADDR is the client's from here on, also behind proxies of ours.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self._get_response = get_response
        _ = get_resolver().url_patterns  # Dialects and areas are known from here on.
        refuse_undeclared()

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        given = request.headers.get("X-Request-ID", "")
        request_id = given if _GOOD_ID.fullmatch(given) else str(uuid.uuid4())
        request.request_id = request_id  # type: ignore[attr-defined]
        request.META["REMOTE_ADDR"] = client_address(request)
        dialect = DIALECTS.of_path(request.path_info)
        request.takes_cookies = dialect is not None and dialect.cookies  # type: ignore[attr-defined]  # See `api.tokens`.
        if dialect is not None:
            request.path_info = request.path_info.rstrip("/") or "/"
        place = without_links(request.path_info)
        origin = Origin(request.META["REMOTE_ADDR"], request.headers.get("User-Agent", ""), request_id, place)
        with structlog.contextvars.bound_contextvars(request_id=request_id), coming_from(origin):
            response = self._get_response(request)
        response["X-Request-ID"] = request_id
        for name, value in SECURITY.items():
            response.headers.setdefault(name, value)
        of_operators = request.path_info == "/admin" or request.path_info.startswith("/admin/")
        response.headers.setdefault("Content-Security-Policy", OPERATORS_POLICY if of_operators else API_PAGES)
        if response.status_code != 304 and not 200 <= response.status_code < 300:
            response.headers.setdefault("Cache-Control", "no-store")  # Else a 404 may be kept (RFC 9110, 15.1).
        if dialect is not None:
            dialect.dress(request, response)
        return response


class ExactCorsMiddleware(CorsMiddleware):
    """CORS for exactly the listed origins, character by character, as browsers send them."""

    def origin_found_in_white_lists(self, origin: str, url: SplitResult) -> bool:
        return origin in settings.CORS_ALLOWED_ORIGINS


class LimitsMiddleware:
    """Rate limits (cross.yaml, rate_limits), by the rules of the dialect or the pages that the path belongs to."""

    def __init__(self, get_response: GetResponse) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not settings.RATE_LIMITS:
            return self._get_response(request)
        place: Dialect | Area | None = DIALECTS.of_path(request.path_info) or AREAS.of_path(request.path_info)
        taken = take(place.limits, request) if place is not None else None
        if place is None or taken is None:
            return self._get_response(request)
        if taken.allowed:
            response = self._get_response(request)
        else:
            refuse = place.refuse if isinstance(place, Area) else said
            response = refuse(request, refusal(taken))
            response["Retry-After"] = str(taken.retry_after)
            response["Cache-Control"] = "no-store"
        tell(response, taken)
        return response


def client_address(request: HttpRequest) -> str:
    """The peer's address; behind trusted proxies, the one that the outermost of them saw. What others add is not believed."""
    return forwarded(str(request.META.get("REMOTE_ADDR", "")), request.META.get("HTTP_X_FORWARDED_FOR", ""))
