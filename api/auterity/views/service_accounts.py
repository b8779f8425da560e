"""`/api/organization/service-accounts`: members that are programs, and their API keys."""

from __future__ import annotations

from uuid import UUID

from accounts import inputs, keys, service_accounts
from accounts.errors import (
    NOT_AS_YOU_ARE,
    ApiKeysForbidden,
    LastAdmin,
    MemberNotFound,
    NotAuthenticated,
    RoleNotFound,
    ServiceAccountNotFound,
    TooManyApiKeys,
    TooManyServiceAccounts,
)
from accounts.models import Membership
from api.auterity.bodies import api_keys as bodies
from api.auterity.dialect import AuterityView
from api.auterity.pages import PageQuery, cut
from api.auterity.views.api_keys import content, key_body, made_body
from api.base import Answer, Call, operation
from api.logins import NO_STORE
from api.needs import PERSON
from auterity.kernel.access import Permission
from auterity.kernel.errors import InvalidInput, PermissionDenied

READING = (NotAuthenticated, PermissionDenied)
MANAGING = (Permission.ORGANIZATION_MANAGE, PERSON)


class ServiceAccountsView(AuterityView):
    @operation(
        needs=Permission.ORGANIZATION_READ,
        summary="List service accounts",
        query=PageQuery,
        answers={200: bodies.ServiceAccountPage},
        raises=[*READING, InvalidInput],
    )
    def get(self, call: Call[None]) -> Answer:
        """Oldest first. They are members too, and stand in that list as well."""
        rows = service_accounts.listed(call.actor)
        found, page = cut(rows, call.query, default_size=self.edition.page_size)
        return Answer(bodies.ServiceAccountPage(service_accounts=[_body(each) for each in found], **page))

    @operation(
        needs=MANAGING,
        summary="Make a service account",
        body=bodies.ServiceAccountWish,
        answers={201: bodies.ServiceAccountBody},
        raises=[*READING, *NOT_AS_YOU_ARE, InvalidInput, RoleNotFound, TooManyServiceAccounts],
        creates=True,
    )
    def post(self, call: Call[bodies.ServiceAccountWish]) -> Answer:
        """It cannot log in: make it an API key."""
        made = service_accounts.create(
            actor=call.actor,
            name=call.body.name,
            role=inputs.role([call.body.role], "role"),
            custom_role_id=call.body.role_id,
        )
        return Answer(_body(made), 201)


class ServiceAccountView(AuterityView):
    @operation(
        needs=Permission.ORGANIZATION_READ,
        summary="Read a service account",
        answers={200: bodies.ServiceAccountBody},
        raises=[*READING, ServiceAccountNotFound],
    )
    def get(self, call: Call[None], account_id: UUID) -> Answer:
        """By its id, which is also its id as a member."""
        return Answer(_body(service_accounts.get(call.actor, account_id)))

    @operation(
        needs=MANAGING,
        summary="Change a service account's role, or switch it off or on",
        body=bodies.ServiceAccountChange,
        answers={200: bodies.ServiceAccountBody},
        raises=[
            *READING,
            *NOT_AS_YOU_ARE,
            InvalidInput,
            ServiceAccountNotFound,
            MemberNotFound,
            RoleNotFound,
            LastAdmin,
        ],
    )
    def put(self, call: Call[bodies.ServiceAccountChange], account_id: UUID) -> Answer:
        """What its keys open follows at once."""
        changed = service_accounts.change(
            actor=call.actor,
            account_id=account_id,
            role=None if call.body.role is None else inputs.role([call.body.role], "role"),
            custom_role_id=call.body.role_id,
            is_active=call.body.is_active,
        )
        return Answer(_body(changed))

    @operation(
        needs=MANAGING,
        summary="Remove a service account",
        answers={204: None},
        raises=[*READING, *NOT_AS_YOU_ARE, ServiceAccountNotFound],
    )
    def delete(self, call: Call[None], account_id: UUID) -> Answer:
        """Ends its keys at once and for good."""
        service_accounts.remove(actor=call.actor, account_id=account_id)
        return Answer(None, 204)


class ServiceKeysView(AuterityView):
    @operation(
        needs=Permission.ORGANIZATION_MANAGE,
        id="service_account_key_list",
        summary="List a service account's API keys",
        query=PageQuery,
        answers={200: bodies.ApiKeyPage},
        raises=[*READING, InvalidInput, ServiceAccountNotFound],
    )
    def get(self, call: Call[None], account_id: UUID) -> Answer:
        """Newest first, ended ones too."""
        account = service_accounts.get(call.actor, account_id)
        rows = keys.listed(call.actor, everybodys=True).filter(user_id=account.user_id)
        found, page = cut(rows, call.query, default_size=self.edition.page_size)
        return Answer(bodies.ApiKeyPage(api_keys=[key_body(each) for each in found], **page))

    @operation(
        needs=MANAGING,
        id="service_account_key_create",
        summary="Make an API key for a service account",
        body=bodies.ApiKeyWish,
        answers={201: bodies.ApiKeyMadeBody},
        raises=[*READING, InvalidInput, *NOT_AS_YOU_ARE, ApiKeysForbidden, ServiceAccountNotFound, TooManyApiKeys],
    )
    def post(self, call: Call[bodies.ApiKeyWish], account_id: UUID) -> Answer:
        """Its scopes are permissions that you hold; it opens those of them that the account's role has."""
        made = keys.make(actor=call.actor, content=content(call.body), service_account_id=account_id)
        return Answer(made_body(made), 201, headers=NO_STORE)


def _body(row: Membership) -> bodies.ServiceAccountBody:
    return bodies.ServiceAccountBody(
        id=row.user_id,
        name=row.user.first_name,
        role=row.role if row.custom_role is None else row.custom_role.name,
        role_id=row.custom_role_id,
        is_active=row.is_active and row.user.is_active,
        created_at=row.created_at,
    )
