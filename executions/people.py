"""Who is asked, and by which link somebody who does not sign in answers. A link names a step and a person, and is signed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from django.core import signing
from django.db import connection

from accounts.models import Membership, User, normal_email
from auterity.kernel.access import Role
from engine.house_ports import Asked
from engine.ports import Rejected
from engine.waiting import Person

_SALT = "executions.question"
_ROLES = list(Role)  # lowest to highest
HOLDERS = 200  # holders of a role that are looked up


@dataclass(frozen=True, slots=True)
class Link:
    """What a link says: which step's question, and who follows it (nobody in particular where the address is empty)."""

    execution_id: UUID
    node_id: str
    email: str


def or_higher(roles: Sequence[str]) -> list[str]:
    """The roles themselves and those above them."""
    lowest = min((_ROLES.index(Role(each)) for each in roles if each in _ROLES), default=len(_ROLES))
    return [role.value for role in _ROLES[lowest:]]


def link_of(key: str, email: str = "") -> str:
    """The address at which a person answers. `key` is the step's key, execution/node/iteration."""
    execution_id, _, rest = key.partition("/")
    node_id = rest.rpartition("/")[0]
    token = signing.dumps([UUID(execution_id).hex, node_id, normal_email(email)], salt=_SALT)
    return f"{settings.PUBLIC_URL}/answer/{token}"


def read_link(token: str) -> Link | None:
    """What a link's token says; None for one that we did not sign."""
    try:
        execution_id, node_id, email = signing.loads(token, salt=_SALT)
    except (signing.BadSignature, ValueError, TypeError):
        return None
    return Link(UUID(execution_id), node_id, email)


@dataclass(frozen=True, slots=True)
class StoredPeople:
    """People of one organization. The connection is given back before the step goes on."""

    organization_id: UUID

    def resolve(self, asked: Sequence[str]) -> Asked:
        """See `engine.ports.PeoplePort`."""
        emails = list(dict.fromkeys(normal_email(each) for each in asked if "@" in each))
        roles = list(dict.fromkeys(each for each in asked if "@" not in each))
        strange = [each for each in roles if each not in _ROLES]
        if strange:
            raise Rejected(f"'{strange[0]}' is neither an e-mail address nor a role ({', '.join(_ROLES)}).")
        try:
            members = Membership.objects.filter(
                organization_id=self.organization_id, is_active=True, user__is_active=True
            ).select_related("user")
            by_email = {each.user.email: each.user for each in members.filter(user__email__in=emails)}
            holders = members.filter(role__in=or_higher(roles)).order_by("id")[:HOLDERS] if roles else []
            return Asked(
                people=[_person(each, by_email.get(each)) for each in emails],
                roles=roles,
                holders=[_person(each.user.email, each.user) for each in holders],
            )
        finally:
            connection.close()

    def link(self, key: str, person: Person) -> str:
        """See `engine.ports.PeoplePort`."""
        return link_of(key, person.email)


def _person(email: str, user: User | None) -> Person:
    if user is None:
        return Person(email)
    return Person(email, str(user.id), f"{user.first_name} {user.last_name}".strip())
