"""`/api/organizations`: the one that the token is for, and all that the caller belongs to."""

from __future__ import annotations

from accounts import members, selectors, services
from accounts.errors import NotAuthenticated, OrganizationNotFound, TokenInvalid
from accounts.models import Membership, Organization
from api.auterity.bodies import auth as auth_bodies
from api.auterity.bodies import organization as bodies
from api.auterity.dialect import AuterityView
from api.auterity.pages import PageQuery, cut
from api.auterity.views.auth import tokens_body
from api.base import Answer, Call, operation
from api.logins import NO_STORE
from api.needs import PERSON, SIGNED_IN
from auterity.kernel.access import Permission, Role, shown_roles
from auterity.kernel.errors import InvalidInput, PermissionDenied


class OrganizationsView(AuterityView):
    @operation(
        needs=SIGNED_IN,
        summary="List your organizations",
        query=PageQuery,
        answers={200: bodies.OrganizationPage},
        raises=[NotAuthenticated, InvalidInput],
    )
    def get(self, call: Call[None]) -> Answer:
        """Those that let you in, oldest membership first; a login goes to the first. `/api/auth/switch-organization` changes."""
        found, page = cut(selectors.memberships(call.actor), call.query, default_size=self.edition.page_size)
        own = [_own(each, each.organization_id == call.actor.organization_id) for each in found]
        return Answer(bodies.OrganizationPage(organizations=own, **page))


class CurrentOrganizationView(AuterityView):
    @operation(
        needs=SIGNED_IN,
        id="organization_current_get",
        summary="Your organization",
        answers={200: bodies.OrganizationBody},
        raises=[NotAuthenticated],
    )
    def get(self, call: Call[None]) -> Answer:
        """The one that the token is for."""
        return Answer(bodies.OrganizationBody.model_validate(_about(selectors.organization(call.actor))))

    @operation(
        needs=Permission.ORGANIZATION_MANAGE,
        id="organization_current_update",
        summary="Rename your organization",
        body=bodies.OrganizationUpdate,
        answers={200: bodies.OrganizationBody},
        raises=[NotAuthenticated, PermissionDenied, InvalidInput],
    )
    def put(self, call: Call[bodies.OrganizationUpdate]) -> Answer:
        """Needs organization:manage. A personal organization that gets a name is a company from then on."""
        return Answer(
            bodies.OrganizationBody.model_validate(
                _about(members.organization_update(actor=call.actor, name=call.body.name))
            )
        )


class SwitchOrganizationView(AuterityView):
    @operation(
        needs=PERSON,
        id="auth_switch_organization",
        summary="Log in to another organization of yours",
        body=bodies.SwitchOrganization,
        answers={200: auth_bodies.LoggedIn},
        raises=[NotAuthenticated, TokenInvalid, OrganizationNotFound],
    )
    def post(self, call: Call[bodies.SwitchOrganization]) -> Answer:
        """A second login beside this one, for that organization, that ends no later than this one. Nothing of this one changes;
        log out to end it."""
        pair = services.switch_organization(
            actor=call.actor,
            organization_id=call.body.organization_id,
            dialect=self.dialect.name,
            access_seconds=self.dialect.access_seconds,
            address=call.request.META.get("REMOTE_ADDR", ""),
            user_agent=call.request.headers.get("User-Agent", ""),
        )
        return Answer(tokens_body(pair), headers=NO_STORE, sparse=True)


def _about(row: Organization) -> dict[str, object]:
    return {
        "id": row.pk,
        "name": row.name,
        "is_personal": row.is_personal,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
    }


def _own(row: Membership, current: bool) -> bodies.OwnOrganization:
    role = Role(row.role)
    custom = row.custom_role
    name, roles = (role.value, shown_roles(role)) if custom is None else (custom.name, [custom.name])
    return bodies.OwnOrganization.model_validate(
        {**_about(row.organization), "role": name, "roles": roles, "current": current}
    )
