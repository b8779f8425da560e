"""Every address asks who is there, except a short list that is frozen here."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts import services
from tests.api.envelopes import orchestrator_refusal, refused
from tests.api.people import PASSWORD, Api, Person, refusal
from tests.api.routes import Route, routes

pytestmark = pytest.mark.django_db

QUERIES = {"GET /native/updates": "?platform=linux&app_version=1.0.0"}  # without which they do not answer
PUBLIC = {
    "GET /api/exports/<uuid:export_id>/content",  # A signed link of 15 minutes is the proof.
    "GET /api/health",
    "GET /api/monitoring/health",
    "GET /api/v1/health",
    "GET /docs",
    "GET /health",
    "GET /health/live",
    "GET /health/ready",
    "GET /native/config",
    "GET /native/updates",
    "GET /openapi.json",
    "GET /redoc",
    "POST /api/auth/forgot-password",
    "POST /api/auth/login",
    "POST /api/auth/mfa",
    "POST /api/auth/mfa/send-code",
    "POST /api/auth/refresh",
    "POST /api/auth/register",
    "POST /api/auth/reset-password",
    "POST /api/auth/verify-email",
    "POST /api/invitations/accept",  # Whoever holds the link may; a bearer token only says who joins.
    "GET /api/v1/auth/csrf-token",
    "POST /api/v1/auth/forgot-password",
    "POST /api/v1/auth/jwt/login",
    "POST /api/v1/auth/jwt/login-debug",
    "POST /api/v1/enhanced-auth/advanced/login",
    "POST /api/v1/enhanced/multi-factor",
    "GET /api/auth/google/authorize",  # A token only says whom the account is linked to.
    "GET /api/auth/sso/<uuid:provider_id>/authorize",
    "GET /api/v1/oauth/google/authorize",
    "POST /api/auth/sso/callback",  # The state says who began.
    "POST /api/v1/oauth/google/callback",
    "POST /api/v1/webauthn/authenticate/begin",
    "POST /api/v1/webauthn/authenticate/complete",
    "POST /api/v1/auth/login",
    "POST /api/v1/auth/refresh",
    "POST /api/v1/auth/register",
    "POST /api/v1/auth/reset-password",
    "POST /api/workflows/<uuid:workflow_id>/triggers/<str:node_id>",  # The caller proves itself to the trigger.
    "POST /native/api/authenticate",  # A refresh token, a signature or a bearer says whose login it is.
    "POST /native/auth/device/authenticate",  # The key that was registered is the proof.
    "POST /native/auth/login",
    "POST /native/auth/refresh",
    "POST /native/auth/register",
    "POST /v1/auth/login",
    "POST /v1/auth/refresh",
}
CLOSED = [each for each in routes() if str(each) not in PUBLIC]
NOBODY = "018f0000-0000-7000-8000-000000000000"


def test_the_public_list_names_real_routes() -> None:
    assert {str(each) for each in routes()} >= PUBLIC
    assert len(CLOSED) >= 29


def test_an_address_that_is_no_api_view_is_only_the_operators_site() -> None:
    assert all(
        each.path.startswith(("/api/", "/native/", "/v1/", "/health", "/docs", "/redoc", "/openapi.json"))
        for each in routes()
    )


def tokens(person: Person) -> dict[str, str]:
    """Everything that somebody might try instead of a good access token."""
    earlier = timezone.now() - timedelta(hours=2)
    expired = services.login(
        email=person.email, password=PASSWORD, dialect="auterity", access_seconds=1800, now=earlier
    )
    ended = services.login(email=person.email, password=PASSWORD, dialect="auterity", access_seconds=1800)
    services.logout(actor=ended.actor)
    header, payload, signature = person.tokens.access_token.split(".")
    other = services.cross_system_token(actor=person.actor, target_system="relaycore", permissions=["ai:route"])
    assert person.tokens.refresh_token is not None
    return {
        "none": "",
        "expired": expired.access_token,
        "logged out": ended.access_token,
        "refresh": person.tokens.refresh_token,
        "cross-system": other.token,
        "garbage": "garbage",
        "unsigned": f"{header}.{payload}.",
        "another signature": f"{header}.{payload}.{signature[::-1]}",
        "too long": "x" * 5000,
    }


def engine_refusal(answer: Any, late: bool) -> dict[str, Any]:
    """What is about the login at hand says so where that was ended (003)."""
    ended = b"ERR_401_SESSION_REVOKED" in answer.content and not late
    code = "SESSION_REVOKED" if ended else "TOKEN_EXPIRED" if late else "TOKEN_INVALID"
    return refused(answer, 401, f"ERR_401_{code}")


# How each dialect says that there is no good token, and that it is past its time.
REFUSED: dict[str, Callable[[Any, bool], dict[str, Any]]] = {
    "auterity": lambda answer, late: refusal(answer, 401, "AUTH_002" if late else "AUTH_001"),
    "business": lambda answer, late: refused(answer, 401, f"ERR_401_TOKEN_{'EXPIRED' if late else 'INVALID'}"),
    "orchestrator": lambda answer, late: orchestrator_refusal(answer, 401, "AUTHENTICATION_REQUIRED"),
    "workflow_engine": lambda answer, late: engine_refusal(answer, late),
}


def test_no_closed_route_opens_without_a_good_access_token(ann: Person) -> None:
    tried = 0
    for kind, token in tokens(ann).items():
        for route in CLOSED:
            answer = Api(token).call(route.method, route.filled(NOBODY), {})
            error = REFUSED[route.view.dialect.name](answer, kind == "expired")
            assert answer.headers["WWW-Authenticate"] == "Bearer", (kind, str(route))
            told = error.get("details", {})
            shown = told if isinstance(told, dict) else [each["field"] for each in told]
            assert ("expired_at" in shown) == (kind == "expired")
            tried += 1
    print(f"{tried} closed doors tried")


@pytest.mark.parametrize("route", [each for each in routes() if str(each) in PUBLIC], ids=str)
def test_public_routes_do_not_look_at_a_token(anyone: Api, route: Route) -> None:
    anyone.token = "garbage"
    answer = anyone.call(route.method, route.path + QUERIES.get(str(route), ""))
    if str(route).endswith(("/authorize", "/authenticate/begin", "/content")):  # What is asked for may not be there.
        assert answer.status_code in (200, 404, 503)
    else:
        assert answer.status_code == 200 if route.method == "GET" else answer.status_code in (400, 401, 404, 422)
