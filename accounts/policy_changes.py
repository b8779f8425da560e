"""Changing what an organization demands of its people (`accounts.policies`). It bites at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.utils import timezone

from accounts import sessions, tiers
from accounts.events import PoliciesChanged
from accounts.models import Membership, OrganizationPolicies, Session
from accounts.policies import KEYS, Rules, Shown, allows, plain, shown, stored, wants_second_factor
from audit import trail
from auterity.kernel.access import Actor, Role
from auterity.kernel.errors import FieldProblem, InvalidInput
from auterity.kernel.events import publish


def change(*, actor: Actor, changes: Mapping[str, Any], address: str = "") -> list[Shown]:
    """Set some; None puts one back to its default. Needs organization:manage. Returns all.

    Bites at once: logins that a stricter policy would not have let in end, but for the actor's own. Raises `InvalidInput`
    naming every wrong key, also for networks that would shut out the actor, who comes from `address`; `PermissionDenied`,
    `FreshLoginRequired`, or `TierTooLow`, also where the actor could not take the change back.
    """
    tiers.require_action(actor, "change_policy")
    checked = _checked(changes)
    now = timezone.now()
    with transaction.atomic():
        row, _ = OrganizationPolicies.unscoped.select_for_update().get_or_create(organization_id=actor.organization_id)
        before = stored(row.chosen)
        row.chosen = {name: plain(value) for name, value in {**row.chosen, **checked}.items() if value is not None}
        after = stored(row.chosen)
        if after.risk_block <= after.risk_challenge:
            raise InvalidInput.of("risk_block", "This must be above risk_challenge.")
        if address and not allows(after, address):
            raise InvalidInput.of("allowed_networks", f"You come from {address}: this would shut you out.")
        changed = {
            name: [plain(getattr(before, name)), plain(getattr(after, name))]
            for name in KEYS
            if getattr(before, name) != getattr(after, name)
        }
        if changed:
            row.version += 1
            row.updated_by_id = actor.user_id
            row.save()
            tiers.require_action(actor, "change_policy")  # By what is demanded from now on.
            _end_what_is_not_allowed(actor, before, after, now=now)
            trail.record(
                "policy.changed",
                "change",
                organization_id=actor.organization_id,
                actor=actor,
                severity="high",
                resource_type="policies",
                resource_id=row.version,
                details={
                    "changes": [{"policy": name, "before": old, "after": new} for name, (old, new) in changed.items()]
                },
                address=address,
            )
            publish(PoliciesChanged(actor.organization_id, actor.user_id, changed))
    return shown(actor.organization_id)


# -- inside ------------------------------------------------------------------------------------------------------------


def _checked(changes: Mapping[str, Any]) -> dict[str, Any]:
    checked: dict[str, Any] = {}
    problems: list[FieldProblem] = []
    for name, value in changes.items():
        if name not in KEYS:
            problems.append(FieldProblem(name, "There is no such policy."))
            continue
        try:
            checked[name] = None if value is None else KEYS[name].metadata["check"](value)
        except ValueError as error:
            problems.append(FieldProblem(name, str(error)))
    if problems:
        raise InvalidInput(problems)
    return checked


def _end_what_is_not_allowed(actor: Actor, before: Rules, after: Rules, *, now: Any) -> None:
    """Logins from networks that are no longer allowed, and those of one factor where two are wanted now."""
    stricter = {
        Role(role) for role in Role if wants_second_factor(after, role) and not wants_second_factor(before, role)
    }
    if after.allowed_networks == before.allowed_networks and not stricter:
        return
    alive = Session.objects.filter(organization_id=actor.organization_id, revoked_at=None, expires_at__gt=now)
    roles = dict(Membership.objects.filter(organization_id=actor.organization_id).values_list("user_id", "role"))
    ending = [
        each.pk
        for each in alive.only("id", "user_id", "address", "factors")
        if each.pk != actor.session_id and _is_shut_out(each, after, one_factor=roles.get(each.user_id) not in stricter)
    ]
    sessions.revoke(Session.objects.filter(pk__in=ending), reason="the organization's policy changed", now=now)


def _is_shut_out(session: Session, rules: Rules, *, one_factor: bool) -> bool:
    return not allows(rules, session.address) or not (one_factor or sessions.of_two_factors(session))
