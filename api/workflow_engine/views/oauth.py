"""`/api/v1/oauth`: signing in with Google, and linking it."""

from __future__ import annotations

from typing import Any

from api import arrivals
from api.base import Answer, Call, operation
from api.needs import OPEN, PERSON
from api.workflow_engine.bodies import oauth as bodies
from api.workflow_engine.dialect import WorkflowEngineView
from identity import google, grants, selectors
from identity.models import Health, OAuthGrant
from identity.people import Arrived


class GoogleAuthorizeView(WorkflowEngineView):
    public = True

    @operation(
        needs=OPEN,
        summary="The way to Google",
        id="oauth_google_authorize",
        query=bodies.AuthorizeQuery,
        answers={200: bodies.Authorization, 302: None},
        raises=arrivals.TO_GOOGLE,
        whole=True,
    )
    def get(self, call: Call[None]) -> Answer:
        """With a token the account that is found there is linked to its person; without one it signs in."""
        begun = arrivals.to_google(call)
        body = bodies.Authorization(
            provider="google",
            authorization_url=begun.url,
            state=begun.state,
            scopes=begun.scopes,
            expires_at=begun.expires_at,
        )
        return arrivals.sent_away(begun, body, at_once=call.query.redirect)


class GoogleCallbackView(WorkflowEngineView):
    public = True

    @operation(
        needs=OPEN,
        summary="Back from Google",
        id="oauth_google_callback",
        body=bodies.OAuthCallback,
        answers={200: bodies.OAuthArrived},
        raises=arrivals.BACK,
    )
    def post(self, call: Call[bodies.OAuthCallback]) -> Answer:
        """Signs in, registers, or links, as the state says. It works once, in the browser or the login that began."""
        arrived = arrivals.arrived(
            call.request,
            self.dialect,
            state=call.body.state,
            code=call.body.code,
            redirect_uri=call.body.redirect_uri or "",
            error=call.body.error or "",
            issuer=call.body.iss,
            only_google=True,
        )
        tokens, kept = arrivals.tokens_of(call.request, arrived, "Bearer")
        return arrivals.answered(_arrived(arrived, tokens), call.body.state, kept)


class OAuthStatusView(WorkflowEngineView):
    @operation(
        needs=PERSON,
        summary="Linked accounts",
        id="oauth_status",
        query=bodies.StatusQuery,
        answers={200: bodies.OAuthStatus},
        whole=True,
    )
    def get(self, call: Call[None]) -> Answer:
        """What you let this organization do at Google, and whether it still works. Tokens are never shown."""
        held = selectors.grant(call.actor)
        if held is not None and call.query.verify and google.is_configured():
            held = grants.verify(held)
        stores = selectors.stores(held)
        return Answer(
            bodies.OAuthStatus(
                providers=[_provider(held)],
                effective_stores=bodies.EffectiveStores.model_validate(
                    {"calendar": stores.calendar, "drive": stores.drive}
                ),
            )
        )


def _arrived(arrived: Arrived, tokens: dict[str, Any]) -> bodies.OAuthArrived:
    grant = arrived.grant
    assert grant is not None  # noqa: S101  Google's arrivals have one.
    return bodies.OAuthArrived.model_validate(
        {
            "provider": "google",
            "action": arrived.action,
            "connection": {
                "id": grant.pk,
                "external_account": arrived.identity.email,
                "scopes": grant.scopes,
                "connected_at": grant.created_at,
                "token_expires_at": grant.token_expires_at,
            },
            "tokens": tokens,
            "user_id": arrived.identity.user_id,
        }
    )


def _provider(held: OAuthGrant | None) -> bodies.OAuthProvider:
    scopes = list(held.scopes) if held is not None else []
    return bodies.OAuthProvider.model_validate(
        {
            "provider": google.NAME,
            "configured": google.is_configured(),
            "connected": held is not None,
            "connection_id": held.pk if held is not None else None,
            "external_account": held.identity.email if held is not None else None,
            "scopes": scopes,
            "capabilities": {each: each in scopes for each in google.SCOPES},
            "connected_at": held.created_at if held is not None else None,
            "token_expires_at": held.token_expires_at if held is not None else None,
            "last_used_at": held.last_used_at if held is not None else None,
            "health": held.health if held is not None else Health.UNKNOWN,
            "last_error": (held.last_error or None) if held is not None else None,
        }
    )
