"""The browser's part of a way to a provider and back: a cookie that ties both ends to one browser."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, Final

from django.conf import settings
from django.http import HttpResponse, HttpResponseRedirect
from pydantic import BaseModel
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.errors import NOT_AS_YOU_ARE, AccountInactive, NotAuthenticated, RegistrationClosed
from api import logins
from api.base import Answer, Call
from api.cookies import Cookie
from api.dialect import Dialect
from identity import errors, google, people
from identity.errors import StateInvalid
from identity.people import Arrived
from identity.signins import LIFETIME, Begun, Returned

TO_GOOGLE: Final = (
    NotAuthenticated,
    *NOT_AS_YOU_ARE,
    errors.RedirectRefused,
    errors.ScopeUnknown,
    errors.LoginNeeded,
    errors.OAuthNotConfigured,
    errors.ProviderUnavailable,
)
BACK: Final = (
    errors.StateInvalid,
    errors.ConsentDenied,
    errors.ExchangeRefused,
    errors.LinkedElsewhere,
    errors.LinkRequired,
    errors.AddressUnverified,
    RegistrationClosed,
    errors.ProviderUnavailable,
    AccountInactive,
)


class _ToProvider(HttpResponseRedirect):
    allowed_schemes = ["http", "https"]


def sent_away(begun: Begun, body: BaseModel, *, at_once: bool) -> Answer:
    """Where to go, as JSON or at once, and the cookie to come back with."""
    answer: HttpResponse = _ToProvider(begun.url) if at_once else Response(body.model_dump(mode="json", by_alias=True))
    secure = settings.PUBLIC_URL.startswith("https://")
    answer.set_cookie(
        _name(begun.state),
        begun.binding,
        max_age=int(LIFETIME.total_seconds()),
        secure=secure,
        httponly=True,
        # A web app of another site that may call us gets it only so, and only over TLS.
        samesite="None" if secure and settings.CORS_ALLOWED_ORIGINS else "Lax",
    )
    answer["Cache-Control"] = "no-store"
    answer["Referrer-Policy"] = "no-referrer"
    return Answer(answer)


def to_google(call: Call[None]) -> Begun:
    """With a token the account that is found there is linked to its person; without one it signs in."""
    return google.begin(
        scopes=[each.strip() for each in call.query.scopes.split(",") if each.strip()],
        actor=logins.somebody(call.request),
        redirect_uri=call.query.redirect_uri,
        login_hint=call.query.login_hint,
    )


def arrived(
    request: Request,
    dialect: Dialect,
    *,
    state: str,
    code: str,
    redirect_uri: str = "",
    error: str = "",
    issuer: str | None = None,
    only_google: bool = False,
) -> Arrived:
    """Finish what was begun. Raises what `identity.people.arrive` does."""
    if only_google and people.is_of_organization(state):
        raise StateInvalid
    return people.arrive(
        returned=Returned(
            state=state,
            code=code,
            redirect_uri=redirect_uri,
            issuer=issuer,
            error=error,
            bound=request.COOKIES.get(_name(state), ""),
            from_browser=bool(request.headers.get("Origin") or request.headers.get("Sec-Fetch-Site")),
        ),
        client=logins.client(request, dialect),
        actor=logins.somebody(request),
    )


def tokens_of(request: Request, arrived: Arrived, token_type: str) -> tuple[dict[str, Any], tuple[Cookie, ...]]:
    """The tokens of a login that was opened, as its client keeps them; nothing where an account was linked."""
    if arrived.pair is None:
        return {}, ()
    shown, kept = logins.handed_over(request, arrived.pair)
    return {"token_type": token_type, "expires_in": arrived.pair.expires_in, **shown}, kept


def answered(body: BaseModel, state: str, kept: Sequence[Cookie]) -> Answer:
    """The answer with the cookies of a login that asked for them, and the end of the way's own."""
    answer = Response(body.model_dump(mode="json", by_alias=True))
    for each in kept:
        each.put(answer)
    answer.delete_cookie(_name(state))
    answer["Cache-Control"] = "no-store"
    return Answer(answer)


def _name(state: str) -> str:
    """One a way, so that two tabs do not take each other's. The prefix keeps other hosts from setting it."""
    prefix = "__Host-" if settings.PUBLIC_URL.startswith("https://") else ""
    return f"{prefix}auterity-way-{hashlib.sha256(state.encode('utf-8', 'replace')).hexdigest()[:12]}"
