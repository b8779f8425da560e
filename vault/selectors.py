"""What there is of data keys, and which of them what is stored needs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Count, Q

from auterity.kernel.vault import newest_server_key
from vault.models import DataKey


@dataclass(frozen=True, slots=True)
class Standing:
    """How many data keys there are, how many seal nothing any more, how many are under an older server key."""

    keys: int
    retired: int
    behind: int


def newest(organization_id: UUID) -> DataKey | None:
    """The key under which this organization's secrets are sealed now; None before its first."""
    row: DataKey | None = DataKey.objects.of(organization_id).filter(retired_at=None).order_by("-number").first()
    return row


def standing() -> Standing:
    behind = ~Q(server_key=newest_server_key())
    return Standing(
        **DataKey.unscoped.aggregate(
            keys=Count("pk"), retired=Count("pk", filter=~Q(retired_at=None)), behind=Count("pk", filter=behind)
        )
    )


def organizations() -> Iterator[UUID]:
    """Those that have keys."""
    yield from DataKey.unscoped.order_by("organization_id").values_list("organization_id", flat=True).distinct()
