"""`/api/auth/sessions`: a person's own logins; `/api/organizations/current/policies`: what the organization demands."""

from __future__ import annotations

from uuid import UUID

from django.utils import timezone

from accounts import logins, own_sessions, policies, policy_changes
from accounts.errors import FreshLoginRequired, NotAuthenticated, SessionNotFound, TierTooLow
from accounts.models import Session
from api.auterity.bodies import sessions as bodies
from api.auterity.dialect import AuterityView
from api.auterity.pages import PageQuery, cut
from api.base import Answer, Call, operation
from api.logins import NO_STORE
from api.needs import PERSON
from auterity.kernel.access import Actor, Permission, require
from auterity.kernel.errors import InvalidInput, PermissionDenied


class SessionsView(AuterityView):
    @operation(
        id="auth_sessions",
        needs=PERSON,
        summary="List your open logins",
        query=PageQuery,
        answers={200: bodies.SessionPage},
        raises=[NotAuthenticated, InvalidInput],
    )
    def get(self, call: Call[None]) -> Answer:
        """In every organization of yours, newest first: where from, with what, proved by what."""
        found, page = cut(own_sessions.alive(call.actor), call.query, default_size=self.edition.page_size)
        shown = [_shown(each, call.actor) for each in found]
        return Answer(bodies.SessionPage(sessions=shown, **page), headers=NO_STORE)

    @operation(
        id="auth_sessions_revoke_others",
        needs=PERSON,
        summary="End all your other logins",
        answers={200: bodies.SessionsEnded},
        raises=[NotAuthenticated],
    )
    def delete(self, call: Call[None]) -> Answer:
        """Their tokens die at once, their sockets close and their devices are trusted no longer. The one at hand goes on."""
        return Answer(bodies.SessionsEnded(revoked_sessions=own_sessions.revoke_others(actor=call.actor)))


class SessionView(AuterityView):
    @operation(
        id="auth_session_revoke",
        needs=PERSON,
        summary="End one of your logins",
        answers={204: None},
        raises=[NotAuthenticated, SessionNotFound],
    )
    def delete(self, call: Call[None], session_id: UUID) -> Answer:
        """Also the one at hand. Its device is trusted no longer."""
        own_sessions.revoke(actor=call.actor, session_id=session_id)
        return Answer(None, 204)


class TrustDeviceView(AuterityView):
    @operation(
        id="auth_trust_device",
        needs=PERSON,
        summary="Know this device again",
        body=bodies.TrustDevice,
        answers={200: bodies.DeviceTrusted},
        raises=[NotAuthenticated, FreshLoginRequired],
    )
    def post(self, call: Call[bodies.TrustDevice]) -> Answer:
        """Its logins are not questioned for being new. A second factor that is set up is asked for all the same. Needs a login,
        or a proof, of the last ten minutes."""
        logins.require_fresh(call.actor)
        until = own_sessions.trust_session(
            logins.session_of(call.actor), days=call.body.days, name=call.body.device_name, now=timezone.now()
        )
        return Answer(bodies.DeviceTrusted(trusted_until=until))

    @operation(
        id="auth_distrust_device",
        needs=PERSON,
        summary="Question this device again",
        answers={204: None},
        raises=[NotAuthenticated],
    )
    def delete(self, call: Call[None]) -> Answer:
        """Its next login is judged as if the device were new; the one at hand goes on. Trusted or not, the answer is the same.
        Another device is trusted no longer when its login is ended."""
        own_sessions.distrust(logins.session_of(call.actor))
        return Answer(None, 204)


class PoliciesView(AuterityView):
    @operation(
        id="organization_policies_get",
        needs=Permission.ORGANIZATION_READ,
        summary="Read your organization's policies",
        answers={200: bodies.PoliciesBody},
        raises=[NotAuthenticated, PermissionDenied],
    )
    def get(self, call: Call[None]) -> Answer:
        """Every policy there is, what it is by default and what it is here."""
        require(call.actor, Permission.ORGANIZATION_READ)
        return Answer(_policies(call.actor))

    @operation(
        id="organization_policies_update",
        needs=(PERSON, Permission.ORGANIZATION_MANAGE),
        summary="Change your organization's policies",
        body=bodies.PoliciesUpdate,
        answers={200: bodies.PoliciesBody},
        raises=[NotAuthenticated, PermissionDenied, FreshLoginRequired, TierTooLow, InvalidInput],
    )
    def put(self, call: Call[bodies.PoliciesUpdate]) -> Answer:
        """Needs organization:manage and a login, or a proof, of the last ten minutes. Logins that a stricter policy would not
        have let in end at once, but for yours."""
        address = call.request.META.get("REMOTE_ADDR", "")
        policy_changes.change(actor=call.actor, changes=call.body.policies, address=address)
        return Answer(_policies(call.actor))


def _shown(row: Session, actor: Actor) -> bodies.SessionBody:
    return bodies.SessionBody(
        id=row.pk,
        current=row.pk == actor.session_id,
        organization_id=row.organization_id,
        organization_name=row.organization.name,
        dialect=row.dialect,
        address=row.address,
        user_agent=row.user_agent,
        device_name=row.device_name,
        device_id=row.device_id,
        factors=row.factors,
        risk_score=row.risk["score"] if row.risk else None,
        created_at=row.created_at,
        last_seen_at=row.last_seen_at,
        expires_at=row.expires_at,
        trusted_until=own_sessions.trusted_until(row),
    )


def _policies(actor: Actor) -> bodies.PoliciesBody:
    version, updated_at = policies.version(actor.organization_id)
    return bodies.PoliciesBody(
        organization_id=actor.organization_id,
        version=version,
        updated_at=updated_at,
        policies=[
            bodies.PolicyBody(
                key=each.key,
                category=each.category,
                title=each.title,
                description=each.meaning,
                value=each.value,
                default=each.default,
                enforced=each.enforced,
            )
            for each in policies.shown(actor.organization_id)
        ],
    )
