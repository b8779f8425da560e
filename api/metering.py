"""Counting requests: which route, how it ended, how long it took, and whose it was. The outermost of the middleware."""

from __future__ import annotations

import time
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from api.dialect import DIALECTS
from auterity.kernel.access import Actor
from monitoring.recording import ORGANIZATION_REQUESTS, REQUESTS, bound_of

METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"})
NO_ROUTE = "(none)"  # unknown addresses are one route, however many are tried
SITE = "site"  # what is no API: the operators' site, static files, hosted pages


class MeterMiddleware:
    """Notes each request in process memory; see `monitoring.recording`."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response
        self._dialects: dict[str, str] = {}

    def __call__(self, request: HttpRequest) -> HttpResponse:
        began = time.perf_counter()
        response = self._get_response(request)
        ms = (time.perf_counter() - began) * 1000
        self._note(request, response.status_code // 100, ms)
        return response

    def _note(self, request: HttpRequest, status: int, ms: float) -> None:
        match = request.resolver_match
        route = NO_ROUTE if match is None else match.route
        dialect = self._dialects.get(route)
        if dialect is None or match is None:
            # Routes are as many as the code has, so this never grows beyond them.
            dialect = self._dialects[route] = dialect_of(request.path_info)
        method = request.method if request.method in METHODS else "OTHER"
        bound = bound_of(ms)
        REQUESTS.note(dialect, route[:200] if dialect != SITE else SITE, str(method), status, bound, ms=ms)
        caller = request.__dict__.get("user")  # Django's own is lazy: to look at it would ask the database.
        if type(caller) is Actor:
            ORGANIZATION_REQUESTS.note(caller.organization_id, dialect, status, bound, ms=ms)


def dialect_of(path: str) -> str:
    dialect = DIALECTS.of_path(path)
    return SITE if dialect is None else dialect.name
