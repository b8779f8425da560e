"""`/api/auth/passkeys` and `/api/auth/identities`: what somebody signs in with beside a password. They are made at
`/api/v1/webauthn` and by a way to a provider (`sso`)."""

from __future__ import annotations

from uuid import UUID

from accounts.errors import FreshLoginRequired
from api.auterity.bodies import identity as bodies
from api.auterity.dialect import AuterityView
from api.base import Answer, Call, operation
from api.needs import PERSON
from auterity.kernel.errors import InvalidInput
from identity import google, passkeys, selectors, services
from identity.errors import IdentityNotFound, PasskeyNotFound
from identity.models import ExternalIdentity, OAuthGrant, Passkey


class PasskeysView(AuterityView):
    @operation(needs=PERSON, summary="Your passkeys", answers={200: bodies.Passkeys})
    def get(self, call: Call[None]) -> Answer:
        """Oldest first, suspended ones too."""
        found = [_passkey(each) for each in selectors.passkeys(call.actor)]
        return Answer(bodies.Passkeys(passkeys=found, total=len(found), limit=passkeys.LIMIT))


class PasskeyView(AuterityView):
    @operation(
        needs=PERSON,
        summary="Rename a passkey",
        body=bodies.PasskeyRename,
        answers={200: bodies.PasskeyBody},
        raises=[PasskeyNotFound, InvalidInput],
    )
    def put(self, call: Call[bodies.PasskeyRename], passkey_id: UUID) -> Answer:
        """The name is yours; the authenticator knows nothing of it."""
        found = services.rename_passkey(actor=call.actor, passkey_id=passkey_id, nickname=call.body.nickname)
        return Answer(_passkey(found))

    @operation(
        needs=PERSON,
        summary="Delete a passkey",
        answers={204: None},
        raises=[PasskeyNotFound, FreshLoginRequired],
    )
    def delete(self, call: Call[None], passkey_id: UUID) -> Answer:
        """It opens nothing from now on. Needs a login that is not older than ten minutes."""
        services.remove_passkey(actor=call.actor, passkey_id=passkey_id)
        return Answer(None, 204)


class IdentitiesView(AuterityView):
    @operation(needs=PERSON, summary="Your linked accounts", answers={200: bodies.Identities})
    def get(self, call: Call[None]) -> Answer:
        """At Google, and at this organization's provider."""
        grant = selectors.grant(call.actor)
        found = [_identity(each, grant) for each in selectors.identities(call.actor)]
        return Answer(bodies.Identities(identities=found, total=len(found)))


class IdentityView(AuterityView):
    @operation(
        needs=PERSON,
        summary="Unlink an account",
        answers={204: None},
        raises=[IdentityNotFound, FreshLoginRequired],
    )
    def delete(self, call: Call[None], identity_id: UUID) -> Answer:
        """It signs nobody in from now on, and its tokens are given back. Needs a login that is not older than ten minutes."""
        services.unlink(actor=call.actor, identity_id=identity_id)
        return Answer(None, 204)


def _passkey(row: Passkey) -> bodies.PasskeyBody:
    return bodies.PasskeyBody(
        id=row.pk,
        credential_id=row.credential_id,
        nickname=row.nickname,
        aaguid=row.aaguid,
        transports=row.transports,
        backup_eligible=row.backup_eligible,
        backed_up=row.backed_up,
        sign_count=row.sign_count,
        suspended=row.suspended_at is not None,
        last_used_at=row.last_used_at,
        created_at=row.created_at,
    )


def _identity(row: ExternalIdentity, grant: OAuthGrant | None) -> bodies.IdentityBody:
    return bodies.IdentityBody(
        id=row.pk,
        provider=row.provider.name if row.provider is not None else google.NAME,
        issuer=row.issuer,
        external_account=row.email,
        scopes=grant.scopes if grant is not None and grant.identity_id == row.pk else ["login"],
        last_used_at=row.last_used_at,
        created_at=row.created_at,
    )
