"""What the sensitive actions ask of a login, and what somebody's login lacks of it (003, Security Check)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.utils import timezone

from accounts import logins, policies, tiers
from accounts.policies import Tier
from auterity.kernel.access import Actor, Permission


@dataclass(frozen=True, slots=True)
class Demand:
    """`fresh`: the person proved themselves within the last ten minutes, as `logins.require_fresh` asks."""

    tier: Tier = Tier.STANDARD
    permission: Permission | None = None
    fresh: bool = False


DEMANDS: Final[Mapping[str, Demand]] = {
    "export_data": Demand(fresh=True),
    "change_password": Demand(),
    "delete_account": Demand(fresh=True),
    "manage_api_keys": Demand(fresh=True),
    "manage_users": Demand(permission=Permission.ORGANIZATION_MANAGE),
    "change_policy": Demand(permission=Permission.ORGANIZATION_MANAGE, fresh=True),
    "execute_workflow": Demand(permission=Permission.WORKFLOW_EXECUTE),
    "connect_oauth": Demand(),
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """`missing` names what the login lacks; `until` is when what is allowed now may not be any more, None for no end."""

    action: str
    required: Tier
    current: Tier
    missing: list[str]
    until: datetime | None

    @property
    def allowed(self) -> bool:
        return not self.missing


def look(*, actor: Actor, action: str, address: str, now: datetime | None = None) -> Verdict:
    """Whether an action of `DEMANDS` would be let through now. Changes nothing."""
    now = now or timezone.now()
    demand, facts = DEMANDS[action], tiers.facts_of(actor)
    missing = [_NAMES.get(each.value, each.value) for each in tiers.lacking(demand.tier, facts, now=now)]
    fresh_until = logins.fresh_until(actor, now=now)
    if demand.fresh and fresh_until is None:
        missing.append("fresh_login")
    if demand.permission is not None and not actor.may(demand.permission):
        missing.append("role")
    if not policies.allows(policies.of(actor.organization_id), address):
        missing.append("policy_ip")
    missing = list(dict.fromkeys(missing))
    until = fresh_until if demand.fresh and not missing else None
    return Verdict(action, demand.tier, tiers.tier_of(facts, now=now), missing, until)


_NAMES: Final = {"backup_codes": "totp"}  # They come with an authenticator.
