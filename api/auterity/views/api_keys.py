"""`/api/organization/api-keys`: long-lived credentials for programs."""

from __future__ import annotations

from uuid import UUID

from django.utils import timezone

from accounts import keys
from accounts.errors import NOT_AS_YOU_ARE, ApiKeyNotFound, ApiKeysForbidden, NotAuthenticated, TooManyApiKeys
from accounts.grants import ApiKey
from api.auterity.bodies import api_keys as bodies
from api.auterity.dialect import AuterityView
from api.auterity.pages import cut
from api.base import Answer, Call, operation
from api.logins import NO_STORE
from api.needs import PERSON, SIGNED_IN
from auterity.kernel.access import Permission
from auterity.kernel.errors import InvalidInput, PermissionDenied

READING = (NotAuthenticated, PermissionDenied)


class ApiKeysView(AuterityView):
    @operation(
        needs=SIGNED_IN,
        id="api_key_list",
        summary="List API keys",
        query=bodies.ApiKeyQuery,
        answers={200: bodies.ApiKeyPage},
        raises=[*READING, InvalidInput],
    )
    def get(self, call: Call[None]) -> Answer:
        """Your own, newest first, ended ones too."""
        rows = keys.listed(call.actor, everybodys=call.query.everybodys)
        found, page = cut(rows, call.query, default_size=self.edition.page_size)
        return Answer(bodies.ApiKeyPage(api_keys=[key_body(each) for each in found], **page))

    @operation(
        needs=PERSON,
        id="api_key_create",
        summary="Make an API key",
        body=bodies.ApiKeyWish,
        answers={201: bodies.ApiKeyMadeBody},
        raises=[*READING, InvalidInput, *NOT_AS_YOU_ARE, ApiKeysForbidden, TooManyApiKeys],
    )
    def post(self, call: Call[bodies.ApiKeyWish]) -> Answer:
        """It acts in your name, with what you may do of its scopes. The key is in this answer and nowhere else."""
        return Answer(made_body(keys.make(actor=call.actor, content=content(call.body))), 201, headers=NO_STORE)


class ApiKeyView(AuterityView):
    @operation(
        needs=SIGNED_IN,
        id="api_key_get",
        summary="Read an API key",
        answers={200: bodies.ApiKeyBody},
        raises=[*READING, ApiKeyNotFound],
    )
    def get(self, call: Call[None], key_id: UUID) -> Answer:
        """Your own; anybody's with organization:manage."""
        return Answer(key_body(keys.get(call.actor, key_id)))

    @operation(
        needs=PERSON,
        id="api_key_revoke",
        summary="Revoke an API key",
        answers={204: None},
        raises=[*READING, *NOT_AS_YOU_ARE, ApiKeyNotFound],
    )
    def delete(self, call: Call[None], key_id: UUID) -> Answer:
        """At once, in every process and on open sockets. It stays in the list."""
        keys.revoke(actor=call.actor, key_id=key_id)
        return Answer(None, 204)


class ApiKeyPolicyView(AuterityView):
    @operation(
        needs=Permission.ORGANIZATION_READ,
        id="api_key_policy_get",
        summary="Whether API keys are allowed",
        answers={200: bodies.ApiKeyPolicy},
        raises=READING,
    )
    def get(self, call: Call[None]) -> Answer:
        """Allowed, without a bound on how long they last, until an admin says otherwise."""
        return Answer(_policy(keys.policy(call.actor)))

    @operation(
        needs=(Permission.ORGANIZATION_MANAGE, PERSON),
        id="api_key_policy_update",
        summary="Allow or forbid API keys",
        body=bodies.ApiKeyPolicy,
        answers={200: bodies.ApiKeyPolicy},
        raises=[*READING, *NOT_AS_YOU_ARE, InvalidInput],
    )
    def put(self, call: Call[bodies.ApiKeyPolicy]) -> Answer:
        """Forbidden keys open nothing from this moment; allowed again, those that were not revoked open what they did."""
        wanted = keys.KeyPolicy(call.body.allowed, call.body.longest_days)
        return Answer(_policy(keys.set_policy(actor=call.actor, policy=wanted)))


def content(body: bodies.ApiKeyWish) -> keys.KeyContent:
    return keys.KeyContent(body.name, body.scopes, body.networks, body.expires_in_days)


def made_body(made: keys.MadeKey) -> bodies.ApiKeyMadeBody:
    return bodies.ApiKeyMadeBody(**key_body(made.key).model_dump(), key=made.secret)


def key_body(row: ApiKey) -> bodies.ApiKeyBody:
    over = row.expires_at is not None and row.expires_at <= timezone.now()
    return bodies.ApiKeyBody(
        id=row.pk,
        name=row.name,
        scopes=row.scopes,
        networks=row.networks,
        last_four=row.last_four,
        status="revoked" if row.revoked_at is not None else "expired" if over else "active",
        user_id=row.user_id,
        is_service=row.user.is_service,
        created_at=row.created_at,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
        revoked_at=row.revoked_at,
    )


def _policy(found: keys.KeyPolicy) -> bodies.ApiKeyPolicy:
    return bodies.ApiKeyPolicy(allowed=found.allowed, longest_days=found.longest_days)
