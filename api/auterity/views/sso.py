"""`/api/organization/sso`: an organization's own sign-in provider; `/api/auth/sso` and `…/google`: the way there and back."""

from __future__ import annotations

from uuid import UUID

from django.conf import settings

from accounts import errors as login_errors
from api import arrivals, logins
from api.auterity.bodies import identity as bodies
from api.auterity.dialect import AuterityView
from api.base import Answer, Call, operation
from api.needs import OPEN
from auterity.kernel.access import Permission, Role
from auterity.kernel.errors import InvalidInput, PermissionDenied
from identity import errors, signins, sso
from identity.models import SsoProvider
from identity.signins import Begun
from integrations.connection_types import MASK


class SsoView(AuterityView):
    @operation(
        needs=Permission.ORGANIZATION_MANAGE,
        summary="The organization's sign-in provider",
        answers={200: bodies.SsoBody},
        raises=[PermissionDenied, errors.SsoNotFound],
    )
    def get(self, call: Call[None]) -> Answer:
        """Its secret is masked."""
        return Answer(_provider(sso.configured(call.actor)))

    @operation(
        needs=Permission.ORGANIZATION_MANAGE,
        summary="Set up the organization's sign-in provider",
        body=bodies.SsoConfigure,
        answers={200: bodies.SsoBody},
        raises=[PermissionDenied, InvalidInput, *login_errors.NOT_AS_YOU_ARE],
    )
    def put(self, call: Call[bodies.SsoConfigure]) -> Answer:
        """Replaces what was there. Making it compulsory ends the logins of members that came another way."""
        said = call.body.model_dump() | {"default_role": Role(call.body.default_role)}
        return Answer(_provider(sso.configure(actor=call.actor, said=sso.Settings(**said))))

    @operation(
        needs=Permission.ORGANIZATION_MANAGE,
        summary="Remove the organization's sign-in provider",
        answers={204: None},
        raises=[PermissionDenied, errors.SsoNotFound, *login_errors.NOT_AS_YOU_ARE],
    )
    def delete(self, call: Call[None]) -> Answer:
        """Its links go with it; people who came by it choose a password by a mailed link."""
        sso.remove(actor=call.actor)
        return Answer(None, 204)


class SsoTestView(AuterityView):
    @operation(
        needs=Permission.ORGANIZATION_MANAGE,
        summary="Try the organization's sign-in provider",
        answers={200: bodies.SsoTried},
        raises=[PermissionDenied, errors.SsoNotFound],
    )
    def post(self, call: Call[None]) -> Answer:
        """Asks it to describe itself. 200 also when it does not."""
        tried = sso.try_out(actor=call.actor)
        return Answer(
            bodies.SsoTried(ok=tried.ok, message=tried.message, authorization_endpoint=tried.authorization_endpoint)
        )


class SsoAuthorizeView(AuterityView):
    public = True

    @operation(
        needs=OPEN,
        summary="The way to an organization's sign-in provider",
        query=bodies.WayQuery,
        answers={200: bodies.Way, 302: None},
        raises=[*login_errors.NOT_AS_YOU_ARE, errors.SsoNotFound, errors.RedirectRefused, errors.ProviderUnavailable],
        whole=True,
    )
    def get(self, call: Call[None], provider_id: UUID) -> Answer:
        """With a token the account that is found there is linked to its person; without one it signs in."""
        begun = sso.begin(
            provider_id=provider_id,
            actor=logins.somebody(call.request),
            redirect_uri=call.query.redirect_uri,
            login_hint=call.query.login_hint,
        )
        return _sent_away(begun, at_once=call.query.redirect)


class GoogleWayView(AuterityView):
    public = True

    @operation(
        needs=OPEN,
        summary="The way to Google",
        query=bodies.GoogleWayQuery,
        answers={200: bodies.Way, 302: None},
        raises=arrivals.TO_GOOGLE,
        whole=True,
    )
    def get(self, call: Call[None]) -> Answer:
        """With a token the account that is found there is linked to its person; without one it signs in."""
        return _sent_away(arrivals.to_google(call), at_once=call.query.redirect)


class WayBackView(AuterityView):
    public = True

    @operation(
        needs=OPEN,
        summary="Back from a sign-in provider",
        body=bodies.WayBack,
        answers={200: bodies.CameBack},
        raises=[*arrivals.BACK, errors.DomainRefused],
    )
    def post(self, call: Call[bodies.WayBack]) -> Answer:
        """Signs in, registers, or links, as the state says. It works once, in the browser or the login that began."""
        arrived = arrivals.arrived(
            call.request,
            self.dialect,
            state=call.body.state,
            code=call.body.code,
            redirect_uri=call.body.redirect_uri,
            error=call.body.error,
            issuer=call.body.iss,
        )
        tokens, kept = arrivals.tokens_of(call.request, arrived, "bearer")
        found = arrived.identity
        body = bodies.CameBack.model_validate(
            {
                "action": arrived.action,
                "identity_id": found.pk,
                "external_account": found.email,
                "user_id": found.user_id,
                **tokens,
            }
        )
        return arrivals.answered(body, call.body.state, kept)


def _sent_away(begun: Begun, *, at_once: bool) -> Answer:
    body = bodies.Way(authorization_url=begun.url, state=begun.state, scopes=begun.scopes, expires_at=begun.expires_at)
    return arrivals.sent_away(begun, body, at_once=at_once)


def _provider(row: SsoProvider) -> bodies.SsoBody:
    return bodies.SsoBody(
        id=row.pk,
        name=row.name,
        issuer=row.issuer,
        client_id=row.client_id,
        client_secret=MASK,
        allowed_domains=row.allowed_domains,
        default_role=row.default_role,
        creates_members=row.creates_members,
        links_members=row.links_members,
        is_required=row.is_required,
        is_active=row.is_active,
        sign_in_url=f"{settings.PUBLIC_URL}/sign-in?provider={row.pk}",
        redirect_uri=signins.callback(),
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
