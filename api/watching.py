"""What requests look like from outside: those that probe are counted, and what operators do on their site is recorded."""

from __future__ import annotations

import datetime as dt

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone

from accounts.asking import Question
from api.middleware import GetResponse
from api.tokens import claims_of
from security import observing, operators
from security.observing import WATCH, Source

_SITE = "/admin/"
_LOGIN = "/admin/login/"


class WatchMiddleware:
    """Inside the edge, so that the address is the client's, and outside the rate limits, so that their refusals are seen."""

    def __init__(self, get_response: GetResponse) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        began = timezone.now()
        response = self._get_response(request)
        if request.path_info.startswith(_SITE):
            if request.method == "POST" and not isinstance(response, Question):
                _note_operator(request, response, began)
            return response
        if response.status_code == 403:
            _note(request, observing.DENIED)
        elif response.status_code == 429:
            _note(request, observing.LIMITED)
        for kind in observing.injections_in(request.get_full_path()):
            _note(request, observing.INJECTION, kind)
        return response


def _note(request: HttpRequest, kind: str, subject: str = "") -> None:
    claims = claims_of(request)
    source = Source(
        kind,
        claims.organization_id if claims is not None else None,
        claims.user_id if claims is not None else None,
        str(request.META.get("REMOTE_ADDR", "")),
    )
    WATCH.note(
        source,
        path=request.path_info[:200],
        user_agent=request.headers.get("User-Agent", ""),
        request_id=getattr(request, "request_id", ""),
        subject=subject,
    )


def _note_operator(request: HttpRequest, response: HttpResponseBase, began: dt.datetime) -> None:
    user = getattr(request, "user", None)
    known = user is not None and user.is_authenticated
    if request.path_info == _LOGIN:
        operators.note_login(user_id=user.pk if known and user is not None else None)
    elif known and user is not None:
        operators.note_act(
            user_id=user.pk,
            path=request.path_info[:200],
            action=request.POST.get("action", "")[:80],
            chosen=len(request.POST.getlist("_selected_action")),
            since=began,
            refused=response.status_code >= 400,
        )
