"""Erasing: rows go in small batches, each a short transaction, so that nobody waits and a crash loses nothing of what was done.

Every act may be repeated. What must stay, because other people's work refers to it, stays without a name.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from accounts import sessions
from accounts.models import Membership, Organization, Session, User
from artefacts import services as artefacts
from artefacts.models import Artefact
from audit import chain
from audit import services as trail
from auterity.kernel.models import JsonText
from executions import journal
from executions.models import LIVE, Execution, ExecutionStatus
from privacy import operators_log, rows
from privacy.inventory import TABLES, Table, children_first
from vault import services as vault

BATCH = 500  # rows a statement deletes
FILES = 100
NAMELESS = "Erased"

Count = Callable[[str, int], None]  # a table and how many of its rows went; also a sign of life


def placeholder(user_id: UUID) -> str:
    """An address that reaches nobody, for a column that wants one (RFC 2606)."""
    return f"erased-{user_id}@erased.invalid"


def forget_name(user: User) -> None:
    """Take everything about the person out of a locked account, and end every login. The row stays, as what others refer to."""
    user.email = placeholder(user.pk)
    user.first_name = user.last_name = NAMELESS
    user.is_active = user.is_staff = user.is_superuser = False
    user.email_verified_at = user.last_login = None
    user.set_unusable_password()
    user.save()
    user.groups.clear()
    user.user_permissions.clear()
    sessions.revoke_all([user.pk], reason="the account was erased", now=timezone.now())


def person(user_id: UUID, address: str, count: Count) -> None:
    """Delete the rows that go with a person, and take the address out of those that stay."""
    places = list(Membership.objects.filter(user_id=user_id).values_list("organization_id", flat=True))
    if address:
        for table in TABLES:
            for column in table.addresses:
                count(table.label, _take_out(table, column, address, placeholder(user_id), places))
            for column in table.sentences:
                count(table.label, _take_out_of_words(table, column, address, placeholder(user_id), places))
    operators_log.forget_person(user_id, address)
    for table in _going():
        _delete_all(table, rows.of_person(table, user_id, goes=True), count)


def organization(organization_id: UUID, count: Count) -> None:
    """Everything of an organization: first what it could still do, then its keys, then its rows and files."""
    with transaction.atomic():
        Organization.objects.filter(pk=organization_id).update(
            is_active=False, name=NAMELESS, updated_at=timezone.now()
        )
        logins = Session.objects.filter(organization_id=organization_id)
        sessions.revoke(logins, reason="the organization was erased", now=timezone.now())
    for execution in _living(organization_id):
        said = "The organization was erased."
        journal.end_from_outside(execution=execution, status=ExecutionStatus.CANCELLED, code="CANCELLED", message=said)
        count("", 0)
    count("vault.DataKey", vault.destroy(organization_id=organization_id))
    for user_id in _only_here(organization_id):
        lone_person(user_id, count)
    while gone := artefacts.forget(Artefact.objects.of(organization_id), organization_id=organization_id, limit=FILES):
        count("artefacts.Artefact", gone)
    operators_log.forget_organization(organization_id)
    for table in children_first():
        _delete_all(table, rows.of_organization(table, organization_id), count)
    while chain.seal(organization_id):
        count("", 0)
    count("audit.AuditEvent", trail.prune(organization_id, before=timezone.now() + dt.timedelta(seconds=1)))


def lone_person(user_id: UUID, count: Count) -> None:
    """Somebody who belonged nowhere else goes with the organization."""
    with transaction.atomic():
        user = User.objects.select_for_update().get(pk=user_id)
        address = user.email
        if address != placeholder(user_id):
            forget_name(user)
    person(user_id, "" if address == placeholder(user_id) else address, count)


# -- inside ----------------------------------------------------------------------------------------------------------


def _going() -> list[Table]:
    """Tables with rows that go with a person, children first."""
    order = {table.label: place for place, table in enumerate(children_first())}
    found = [each for each in TABLES if any(one.goes for one in each.people)]
    return sorted(found, key=lambda each: order.get(each.label, -1))


def _delete_all(table: Table, found: QuerySet[Any], count: Count) -> None:
    while True:
        with transaction.atomic():
            keys = list(
                found.order_by("-pk").values_list("pk", flat=True)[:BATCH]
            )  # Newest first: answers before questions.
            gone = table.model._base_manager.filter(pk__in=keys)
            if keys:
                gone._raw_delete(connection.alias)
        count(table.label, len(keys))
        if len(keys) < BATCH:
            return


def _take_out(table: Table, column: str, address: str, instead: str, places: list[UUID]) -> int:
    field = table.model._meta.get_field(column)
    everything = table.model._base_manager
    if not isinstance(field, JsonText):
        return int(everything.filter(**{f"{column}__iexact": address}).update(**{column: instead}))
    # A list in JSON has no index: it is looked for where the person belonged.
    found = everything.filter(**{f"{table.owner}__in": places, f"{column}__icontains": address})
    changed = 0
    for page in rows.pages(found):
        for row in page:
            value = _replaced(getattr(row, column), address.lower(), instead)
            changed += everything.filter(pk=row.pk).update(**{column: value})
    return changed


def _take_out_of_words(table: Table, column: str, address: str, instead: str, places: list[UUID]) -> int:
    """Where the person belonged; there the words may stand anywhere."""
    found = table.model._base_manager.filter(**{f"{table.owner}__in": places, f"{column}__icontains": address})
    wanted, changed = re.compile(re.escape(address), re.IGNORECASE), 0
    for page in rows.pages(found):
        for row in page:
            value = _reworded(getattr(row, column), wanted, instead)
            changed += table.model._base_manager.filter(pk=row.pk).update(**{column: value})
    return changed


def _reworded(value: Any, wanted: re.Pattern[str], instead: str) -> Any:
    if isinstance(value, str):
        return wanted.sub(instead, value)
    if isinstance(value, list):
        return [_reworded(each, wanted, instead) for each in value]
    if isinstance(value, dict):
        return {name: _reworded(each, wanted, instead) for name, each in value.items()}
    return value


def _replaced(value: Any, address: str, instead: str) -> Any:
    if isinstance(value, str):
        return instead if value.lower() == address else value
    if isinstance(value, list):
        return [_replaced(each, address, instead) for each in value]
    if isinstance(value, dict):
        return {name: _replaced(each, address, instead) for name, each in value.items()}
    return value


def _living(organization_id: UUID) -> Any:
    while page := list(Execution.objects.of(organization_id).filter(status__in=LIVE).order_by("pk")[:FILES]):
        yield from page


def _only_here(organization_id: UUID) -> list[UUID]:
    here = Membership.objects.filter(organization_id=organization_id).values_list("user_id", flat=True)
    elsewhere = Membership.objects.filter(user_id__in=here).filter(~Q(organization_id=organization_id))
    return list(
        User.objects.filter(pk__in=here, is_staff=False)
        .exclude(pk__in=elsewhere.values_list("user_id", flat=True))
        .values_list("pk", flat=True)
    )
