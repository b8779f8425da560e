"""Who acts, and what they may do. The one permission list, and the built-in roles as sets over it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID

from auterity.kernel.errors import PermissionDenied, ScopeDenied


class Permission(StrEnum):
    """`resource:action`, alphabetical. 001 documents workflow:read, workflow:create, ai:route and metrics:read."""

    AI_MANAGE = "ai:manage"
    AI_PROCESS = "ai:process"
    AI_ROUTE = "ai:route"
    AUDIT_READ = "audit:read"
    COMMUNICATION_SEND = "communication:send"
    EXECUTION_READ = "execution:read"
    INTEGRATION_MANAGE = "integration:manage"
    INTEGRATION_READ = "integration:read"
    INTEGRATION_SYNC = "integration:sync"
    LOGS_READ = "logs:read"
    MEMBER_INVITE = "member:invite"
    METRICS_READ = "metrics:read"
    ORGANIZATION_MANAGE = "organization:manage"
    ORGANIZATION_READ = "organization:read"
    TEMPLATE_CREATE = "template:create"
    TEMPLATE_DELETE = "template:delete"
    TEMPLATE_READ = "template:read"
    TEMPLATE_UPDATE = "template:update"
    WORKFLOW_CREATE = "workflow:create"
    WORKFLOW_DELETE = "workflow:delete"
    WORKFLOW_EXECUTE = "workflow:execute"
    WORKFLOW_READ = "workflow:read"
    WORKFLOW_UPDATE = "workflow:update"


class Scope(StrEnum):
    """What a narrow token may be used for (003, Native API Router). Any other login may be used for all of it."""

    DATA_READ = "data.read"
    DATA_WRITE = "data.write"
    UPLOAD = "upload"


# What somebody must hold, when they ask for a narrow token and whenever they use it, for it to have the scope.
SCOPE_PERMISSIONS: dict[Scope, Permission] = {
    Scope.DATA_READ: Permission.WORKFLOW_READ,
    Scope.DATA_WRITE: Permission.WORKFLOW_UPDATE,
    Scope.UPLOAD: Permission.WORKFLOW_EXECUTE,
}


class Role(StrEnum):
    """Lowest to highest. 001 shows `user` for an ordinary member; see `shown_roles`."""

    VIEWER = "viewer"
    MEMBER = "member"
    MANAGER = "manager"
    ADMIN = "admin"


_VIEWER = {
    Permission.EXECUTION_READ,
    Permission.LOGS_READ,
    Permission.ORGANIZATION_READ,
    Permission.TEMPLATE_READ,
    Permission.WORKFLOW_READ,
}
_MEMBER = _VIEWER | {
    Permission.AI_PROCESS,
    Permission.COMMUNICATION_SEND,
    Permission.INTEGRATION_READ,
    Permission.INTEGRATION_SYNC,
    Permission.TEMPLATE_CREATE,
    Permission.WORKFLOW_CREATE,
    Permission.WORKFLOW_EXECUTE,
    Permission.WORKFLOW_UPDATE,
}
_MANAGER = _MEMBER | {
    Permission.AI_MANAGE,
    Permission.AI_ROUTE,
    Permission.INTEGRATION_MANAGE,
    Permission.MEMBER_INVITE,
    Permission.METRICS_READ,
    Permission.TEMPLATE_DELETE,
    Permission.TEMPLATE_UPDATE,
    Permission.WORKFLOW_DELETE,
}

ROLE_PERMISSIONS: dict[Role, frozenset[Permission]] = {
    Role.VIEWER: frozenset(_VIEWER),
    Role.MEMBER: frozenset(_MEMBER),
    Role.MANAGER: frozenset(_MANAGER),
    Role.ADMIN: frozenset(Permission),
}


def roles_with(permission: Permission) -> list[Role]:
    """The built-in roles that hold it."""
    return [role for role, permissions in ROLE_PERMISSIONS.items() if permission in permissions]


def shown_roles(role: Role) -> list[str]:
    """The list the documents show: an ordinary member is `user`; whoever has more shows both (001, Get Current User)."""
    if role is Role.VIEWER:
        return ["viewer"]
    return ["user"] if role is Role.MEMBER else ["user", role.value]


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody (or some process) acting inside one organization, with rights read at this moment, not from a token."""

    user_id: UUID
    organization_id: UUID
    role: Role
    permissions: frozenset[Permission]
    email: str = ""
    session_id: UUID | None = field(default=None, compare=False)
    custom_role: str = ""  # the name of a role that the organization made itself; `role` is its rank then
    key_id: UUID | None = field(default=None, compare=False)  # the API key that stands for a login
    # The security tier that the organization's policy asks of every login (`accounts.tiers`); empty where it asks for none.
    minimum_tier: str = field(default="", compare=False)
    scopes: frozenset[Scope] | None = field(default=None, compare=False)  # a narrow token's; None for any other login

    @property
    def role_name(self) -> str:
        return self.custom_role or self.role.value

    def may(self, permission: Permission) -> bool:
        return permission in self.permissions


def require(actor: Actor, permission: Permission) -> None:
    """Raise `PermissionDenied` unless the actor holds the permission."""
    if not actor.may(permission):
        raise PermissionDenied(
            f"This needs the permission {permission.value}; your role {actor.role_name} does not have it.",
            required=permission.value,
        )


def require_scope(actor: Actor, scope: Scope) -> None:
    """Raise `ScopeDenied` where a narrow token stands for the login and does not have the scope."""
    if actor.scopes is not None and scope not in actor.scopes:
        raise ScopeDenied(f"This needs a token with the scope {scope.value}.", required=scope.value)


def scopes_within(permissions: frozenset[Permission]) -> frozenset[Scope]:
    """The scopes that a narrow token of somebody with these permissions can have."""
    return frozenset(scope for scope, needed in SCOPE_PERMISSIONS.items() if needed in permissions)


def require_person(actor: Actor) -> None:
    """Raise `PermissionDenied` where an API key stands for a login: some things only somebody who logged in may do."""
    if actor.key_id is not None:
        raise PermissionDenied("An API key cannot do this. Log in as a person.")
