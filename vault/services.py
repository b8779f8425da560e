"""Changing, rewrapping and destroying data keys, while everybody goes on reading and writing.

Called by operators: `manage.py vault`, the admin, and whoever forgets an organization.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from accounts import totp
from audit.trail import record
from auterity.kernel import vault
from auterity.kernel.vault import SecretUnreadable
from vault import keys, selectors
from vault.models import DataKey
from vault.registry import HOLDERS, Holder

_BATCH = 200
# After which nobody seals under a retired key any more, nor has read a text that they are about to open with it.
SETTLED = dt.timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Resealed:
    """`moved` rows are under the newest key now; `left` could not be opened, by holder."""

    moved: int
    left: dict[str, int]


def rotate(*, organization_id: UUID) -> Resealed:
    """Begin a new data key and put everything stored under it. Readers and writers go on meanwhile.

    What somebody stores at this very moment may still come under the old key; `reseal` and `prune` find it later.
    """
    with transaction.atomic():
        last = DataKey.objects.of(organization_id).select_for_update().order_by("-number").first()
        row = keys.make(organization_id, 1 if last is None else last.number + 1)
        older = DataKey.objects.of(organization_id).filter(number__lt=row.number, retired_at=None)
        older.update(retired_at=timezone.now())
        record(
            "vault.key.rotated", "rotate", organization_id=organization_id, severity="medium",
            resource_type="data_key", resource_id=row.number,
        )  # fmt: skip
    return reseal(organization_id=organization_id)


def reseal(*, organization_id: UUID) -> Resealed:
    """Put every sealed text that is under an older key under the newest. A row that changes meanwhile is left as it became."""
    newest = selectors.newest(organization_id)
    if newest is None:
        return Resealed(0, {})
    moved, left = 0, Counter[str]()
    for holder in HOLDERS:
        rows = holder.model.objects.of(organization_id).exclude(**{holder.column: b""}).order_by("pk")
        for row_id, sealed in rows.values_list("pk", holder.column).iterator(chunk_size=_BATCH):
            old = bytes(sealed)
            try:
                if keys.number_of(old) >= newest.number:
                    continue
                where = holder.place_of(row_id)
                plain = keys.reveal(organization_id=organization_id, place=where, sealed=old)
            except SecretUnreadable:
                left[holder.name] += 1
                continue
            fresh = keys.seal(organization_id=organization_id, place=where, plain=plain)
            moved += (
                holder.model.objects.of(organization_id)
                .filter(**{"pk": row_id, holder.column: old})
                .update(**{holder.column: fresh})
            )
    return Resealed(moved, dict(left))


def prune(*, organization_id: UUID, now: dt.datetime | None = None) -> int:
    """Destroy retired keys that nothing stored needs any more. Returns how many."""
    reseal(organization_id=organization_id)
    needed = {number for holder in HOLDERS for number in _numbers(holder, organization_id)}
    settled = (now or timezone.now()) - SETTLED
    retired = DataKey.objects.of(organization_id).filter(retired_at__lt=settled).exclude(number__in=needed)
    return retired.delete()[0]


def rewrap() -> int:
    """Put every key under the newest server key, so that older ones may leave AUTERITY_VAULT_KEYS. Returns how many.

    Those are data keys and the secrets of authenticators.
    """
    newest = vault.newest_server_key()
    count = 0
    for row in DataKey.unscoped.exclude(server_key=newest).order_by("pk").iterator(chunk_size=_BATCH):
        about = keys.bound_to(row.organization_id, "data_key", row.number)
        wrapped = vault.wrap(vault.unwrap(bytes(row.wrapped), about), about)
        same = DataKey.unscoped.filter(pk=row.pk, server_key=row.server_key)
        count += same.update(wrapped=wrapped, server_key=newest)
    return count + totp.rewrap()


def destroy(*, organization_id: UUID) -> int:
    """Forget every data key of an organization: what is sealed under them is lost for ever, in backups too."""
    with transaction.atomic():
        count: int = DataKey.objects.of(organization_id).delete()[0]
        record(
            "vault.keys.destroyed", "destroy", organization_id=organization_id, severity="high",
            resource_type="data_key", details={"count": count},
        )  # fmt: skip
    keys.forget()
    return count


# -- inside --------------------------------------------------------------------------------------------------------------


def _numbers(holder: Holder, organization_id: UUID) -> set[int]:
    rows = holder.model.objects.of(organization_id).exclude(**{holder.column: b""})
    found = set()
    for sealed in rows.values_list(holder.column, flat=True).iterator(chunk_size=_BATCH):
        try:
            found.add(keys.number_of(bytes(sealed)))
        except SecretUnreadable:
            continue  # No key opens it, so none is kept for it.
    return found
