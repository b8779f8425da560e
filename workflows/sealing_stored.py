"""Secrets that definitions and edits were stored with before they were sealed: put into rows of their own, where they stand.

A version keeps its number and its meaning; only the place of its secrets changes, and its checksum with it. Saving it again then
changes nothing. Done as often as wanted: what is sealed stays as it is.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db import transaction

from workflows.drafts import checksum
from workflows.models import WorkflowOperation, WorkflowVersion
from workflows.sealing import sealed_change, sealed_definition

BATCH = 100


def seal_versions(*, organization_id: UUID | None = None) -> int:
    """Seal what the versions of an organization, else of all, hold in the clear. Returns how many held something."""
    count = 0
    for row in _all(WorkflowVersion, organization_id):
        with transaction.atomic():
            sealed = sealed_definition(row.organization_id, row.definition)
            if sealed is not row.definition:
                same = WorkflowVersion.unscoped.filter(pk=row.pk, checksum=row.checksum)
                count += same.update(definition=sealed, checksum=checksum(sealed))
    return count


def seal_operations(*, organization_id: UUID | None = None) -> int:
    """The same with what edits did and what was there before, so that they still compare with the versions between them."""
    count = 0
    for row in _all(WorkflowOperation, organization_id):
        with transaction.atomic():
            data, before = (sealed_change(row.organization_id, each) for each in (row.data, row.before))
            if data != row.data or before != row.before:
                count += WorkflowOperation.unscoped.filter(pk=row.pk).update(data=data, before=before)
    return count


def _all(model: Any, organization_id: UUID | None) -> Iterable[Any]:
    rows = model.unscoped.order_by("pk")
    chosen = rows if organization_id is None else rows.filter(organization_id=organization_id)
    return iter(chosen.iterator(chunk_size=BATCH))
