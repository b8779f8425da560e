"""How an organization's executions are counted for its quota: by the index that its lists use, from its own rows."""

from __future__ import annotations

import datetime as dt
from uuid import UUID

from auterity.kernel.models import first_id_of
from executions.models import Execution


def accepted(organization_id: UUID, since: dt.datetime, until: dt.datetime | None) -> int:
    """Executions accepted from one moment to before another. A run that a step started is part of that step's execution."""
    rows = Execution.objects.of(organization_id).filter(pk__gte=first_id_of(since), parent_id__isnull=True)
    return rows.count() if until is None else rows.filter(pk__lt=first_id_of(until)).count()
