"""What an organization may demand of its people: every key, what it means, and what it is by default.

The code that enforces a policy reads it here, by `of`; the same keys are what clients are shown. `accounts.policy_changes` is how
they are changed.
"""

from __future__ import annotations

import dataclasses
import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from uuid import UUID

from accounts import networks
from accounts.models import Membership, OrganizationPolicies
from auterity.kernel.access import Role

MOST_ENTRIES = 200


class Category(StrEnum):
    PASSWORD = "password"  # noqa: S105  Not a password.
    MFA = "mfa"
    SESSION = "session"
    NETWORK = "network"
    DATA = "data"
    AI = "ai"


class Tier(StrEnum):
    """How well an account is protected, lowest first; `accounts.tiers` says which one somebody has."""

    STANDARD = "standard"
    ELEVATED = "elevated"
    MAXIMUM = "maximum"


def _about(category: Category, title: str, meaning: str, check: Callable[[Any], Any], default: Any) -> Any:
    return field(default=default, metadata={"category": category, "title": title, "meaning": meaning, "check": check})


def _whole(least: int, most: int) -> Callable[[Any], int]:
    def check(value: Any) -> int:
        if type(value) is not int or not least <= value <= most:
            raise ValueError(f"A whole number from {least} to {most} is expected.")
        return value

    return check


def _yes_or_no(value: Any) -> bool:
    if type(value) is not bool:
        raise ValueError("true or false is expected.")
    return value


def _list(value: Any) -> list[str]:
    if not isinstance(value, list) or len(value) > MOST_ENTRIES or any(not isinstance(each, str) for each in value):
        raise ValueError(f"A list of at most {MOST_ENTRIES} texts is expected.")
    return list(dict.fromkeys(value))


def _roles(value: Any) -> tuple[str, ...]:
    known = [role.value for role in Role]
    unknown = [each for each in _list(value) if each not in known]
    if unknown:
        raise ValueError(f"Unknown role {unknown[0][:40]!r}. Known are {', '.join(known)}.")
    return tuple(_list(value))


def _networks(value: Any) -> tuple[str, ...]:
    try:
        return tuple(str(ipaddress.ip_network(each.strip(), strict=False)) for each in _list(value))
    except ValueError as error:
        raise ValueError(f"Networks are written as 203.0.113.0/24 or 2001:db8::/32: {error}"[:200]) from None


def _names(value: Any) -> tuple[str, ...]:
    names = tuple(each.strip().lower() for each in _list(value))
    if any(not each or len(each) > 64 for each in names):
        raise ValueError("A name has 1 to 64 characters.")
    return names


def _tier(value: Any) -> str:
    if not isinstance(value, str) or value not in set(Tier):
        raise ValueError(f"One of {', '.join(Tier)} is expected.")
    return Tier(value).value


@dataclass(frozen=True, slots=True)
class Rules:
    """The policies in force in one organization. Fields are the policy keys; their metadata is what clients are shown."""

    password_min_length: int = _about(
        Category.PASSWORD, "Shortest password", "Characters that a new password has at least.", _whole(8, 128), 8
    )
    password_classes: int = _about(
        Category.PASSWORD,
        "Kinds of characters",
        "How many of lower case, upper case, digits and other characters a new password holds at least.",
        _whole(0, 4),
        0,
    )
    password_history: int = _about(
        Category.PASSWORD, "Former passwords", "How many former passwords may not be chosen again.", _whole(0, 5), 5
    )
    password_max_age_days: int = _about(
        Category.PASSWORD,
        "Oldest password",
        "Days after which a password must be replaced; 0 is never.",
        _whole(0, 3650),
        0,
    )
    mfa_required_roles: tuple[str, ...] = _about(
        Category.MFA, "Compulsory second factor", "Roles that cannot log in without a second factor; all four is everyone.",
        _roles, (),
    )  # fmt: skip
    minimum_tier: str = _about(
        Category.MFA, "Lowest security tier", "Above standard, everybody needs a second factor to log in.",
        _tier, Tier.STANDARD.value,
    )  # fmt: skip
    maximum_tier_roles: tuple[str, ...] = _about(
        Category.MFA,
        "Roles of the highest tier",
        "Roles that may have the tier maximum; none named is all.",
        _roles,
        (),
    )
    enforce_tiers: bool = _about(
        Category.MFA,
        "Security tiers count",
        "Whether sensitive actions need their tier: exports and drives elevated, policies and people maximum.",
        _yes_or_no,
        False,
    )
    session_hours: int = _about(
        Category.SESSION,
        "Longest login",
        "Hours after which one must log in again; 0 is the server's own.",
        _whole(0, 720),
        0,
    )
    risk_challenge: int = _about(
        Category.SESSION, "Risk that asks for more", "Score of a login from which a second factor is asked for.",
        _whole(1, 100), 50,
    )  # fmt: skip
    risk_block: int = _about(
        Category.SESSION, "Risk that is refused", "Score of a login from which it is refused.", _whole(1, 101), 85
    )
    risk_every_login: bool = _about(
        Category.SESSION, "Judge every login", "Whether the two scores above count at logins of every kind.",
        _yes_or_no, False,
    )  # fmt: skip
    csrf_with_bearer: bool = _about(
        Category.SESSION, "CSRF token with a bearer token", "Whether writing needs a CSRF token beside a bearer token.",
        _yes_or_no, False,
    )  # fmt: skip
    allowed_networks: tuple[str, ...] = _about(
        Category.NETWORK, "Allowed networks", "Networks people may come from; none named is all.", _networks, ()
    )
    risky_networks: tuple[str, ...] = _about(
        Category.NETWORK, "Risky networks", "Networks of anonymizing services, whose logins weigh more.", _networks, ()
    )
    data_retention_days: int = _about(
        Category.DATA,
        "Retention",
        "Days after which what people left behind is deleted; 0 is never.",
        _whole(0, 3650),
        0,
    )
    ai_providers: tuple[str, ...] = _about(
        Category.AI, "Allowed AI providers", "Providers that prompts may be sent to; none named is all.", _names, ()
    )


DEFAULT = Rules()
KEYS: Mapping[str, dataclasses.Field[Any]] = {each.name: each for each in dataclasses.fields(Rules)}


@dataclass(frozen=True, slots=True)
class Shown:
    """One policy as it stands."""

    key: str
    category: Category
    title: str
    meaning: str
    value: Any
    default: Any

    @property
    def enforced(self) -> bool:
        return bool(self.value != self.default)


def of(organization_id: UUID) -> Rules:
    """The policies in force. One query."""
    row = OrganizationPolicies.objects.of(organization_id).first()
    return DEFAULT if row is None else stored(row.chosen)


def for_person(user_id: UUID) -> Rules:
    """The strictest rules about passwords of all the organizations that let the person in; a password opens them all."""
    here = Membership.objects.filter(user_id=user_id, is_active=True).values_list("organization_id", flat=True)
    found = [of(each) for each in here[:50]] or [DEFAULT]
    ages = [each.password_max_age_days for each in found if each.password_max_age_days]
    return dataclasses.replace(
        DEFAULT,
        password_min_length=max(each.password_min_length for each in found),
        password_classes=max(each.password_classes for each in found),
        password_history=max(each.password_history for each in found),
        password_max_age_days=min(ages, default=0),
    )


def shown(organization_id: UUID) -> list[Shown]:
    """Every policy with its value and its default, in the order of `Rules`."""
    rules = of(organization_id)
    return [
        Shown(
            name,
            about.metadata["category"],
            about.metadata["title"],
            about.metadata["meaning"],
            plain(getattr(rules, name)),
            plain(about.default),
        )
        for name, about in KEYS.items()
    ]


def version(organization_id: UUID) -> tuple[int, Any]:
    """How often they were changed, and when last (None for never)."""
    row = OrganizationPolicies.objects.of(organization_id).first()
    return (0, None) if row is None else (row.version, row.updated_at)


def wants_second_factor(rules: Rules, role: Role) -> bool:
    """Whether the organization makes a second factor compulsory for a role."""
    return role.value in rules.mfa_required_roles or rules.minimum_tier != Tier.STANDARD


def allows(rules: Rules, address: str) -> bool:
    """Whether one may come from this address. One that is not known is no address of an allowed network."""
    return not rules.allowed_networks or networks.within(address, rules.allowed_networks)


def stored(chosen: Mapping[str, Any]) -> Rules:
    """The rules of a row: what it does not name, and what there is no more, is the default."""
    given: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in chosen.items() if name in KEYS
    }
    return Rules(**given)


def plain(value: Any) -> Any:
    """A value as JSON has it."""
    return list(value) if isinstance(value, tuple) else value
