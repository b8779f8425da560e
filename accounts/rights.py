"""What a membership grants: a built-in role's permissions, or those of a role that the organization made itself.

A custom role has a rank too, the highest built-in role below admin that it wholly contains: for the few places that ask for
"a manager or higher". No custom role ranks as admin, so an organization always keeps a real one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from uuid import UUID

import orjson

from accounts.errors import RoleNotFound
from accounts.grants import CustomRole
from auterity.kernel.access import ROLE_PERMISSIONS, Actor, Permission, Role
from auterity.kernel.errors import PermissionDenied

_KNOWN = {each.value: each for each in Permission}


@dataclass(frozen=True, slots=True)
class Grant:
    """What somebody is given: a built-in role, or the rank and the row of a custom one."""

    role: Role
    custom: CustomRole | None = None

    @property
    def permissions(self) -> frozenset[Permission]:
        return granted(self.role, None if self.custom is None else self.custom.permissions)


def granted(role: Role, custom: str | list[str] | None) -> frozenset[Permission]:
    """The permissions of a membership; `custom` is its custom role's list, as stored text or read, or None."""
    if custom is None:
        return ROLE_PERMISSIONS[role]
    return _listed(custom) if isinstance(custom, str) else known(custom)


def held_by(member: Any) -> frozenset[Permission]:
    """The permissions of a `Membership`, read with its `custom_role`."""
    return Grant(Role(member.role), member.custom_role).permissions


def known(names: Iterable[str]) -> frozenset[Permission]:
    """Those that there are: a stored name that the product no longer knows grants nothing."""
    return frozenset(_KNOWN[each] for each in names if each in _KNOWN)


def rank_of(permissions: frozenset[Permission]) -> Role:
    """The highest built-in role below admin whose permissions are all among these; viewer where none is."""
    held = [each for each in (Role.VIEWER, Role.MEMBER, Role.MANAGER) if ROLE_PERMISSIONS[each] <= permissions]
    return held[-1] if held else Role.VIEWER


def chosen(actor: Actor, role: Role, custom_role_id: UUID | None) -> Grant:
    """What the actor is about to give. Call it with the organization locked, so that the role stays what it is.

    Raises `RoleNotFound`, and `PermissionDenied` for more than the actor holds.
    """
    grant = Grant(role)
    if custom_role_id is not None:
        row = CustomRole.objects.of(actor).filter(pk=custom_role_id).first()
        if row is None:
            raise RoleNotFound
        grant = Grant(rank_of(known(row.permissions)), row)
    within_reach(actor, grant.permissions)
    return grant


def within_reach(actor: Actor, permissions: Iterable[Permission]) -> None:
    """Nobody gives what they do not hold. Raises `PermissionDenied`."""
    lacking = sorted(set(permissions) - actor.permissions)
    if lacking:
        raise PermissionDenied("You cannot give more than you hold yourself.", required=lacking[0].value)


@lru_cache(maxsize=4096)
def _listed(text: str) -> frozenset[Permission]:
    return known(orjson.loads(text))
