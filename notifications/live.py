"""A person's stream as live facts: the same dictionary whether it comes from the bus or is read from the table.

A fact with a `seq` is an entry of the stream. One without is a change to entries told before, for whoever watches now: what was
read elsewhere (`read`), and a notification that has come to count more (`counted`). A snapshot holds all of that too.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid5

from auterity.kernel.live import Fact
from auterity.kernel.tenancy import Tenant
from notifications.models import UserNotification

READ = "read"
COUNTED = "counted"
TOLD = "told"


def topic_of(organization_id: UUID | str, user_id: UUID | str) -> str:
    """A person's topic in one organization: what happens in another one is not told here."""
    return f"notifications:{user_id}:{organization_id}"


def stream_of(tenant: Tenant, user_id: UUID) -> str:
    """The stream's id: another one means that sequence numbers begin anew."""
    return str(uuid5(tenant.organization_id, str(user_id)))


def fact_of(row: UserNotification) -> Fact:
    """One entry, read together with its announcement."""
    fact: Fact = {
        "kind": TOLD,
        "seq": row.seq,
        "id": str(row.id),
        "category": str(row.category),
        "severity": str(row.severity),
        "title": row.title,
        "message": row.message,
        "link": row.link or None,
        "data": row.data,
        "count": row.count,
        "read": row.read_at is not None,
        "read_at": _written(row.read_at),
        "created_at": _written(row.created_at),
        "announcement": None,
    }
    if row.announcement is not None:
        fact["announcement"] = {
            "announcement_id": str(row.announcement.id),
            "starts_at": _written(row.announcement.starts_at),
            "ends_at": _written(row.announcement.ends_at),
        }
    return fact


def counted_fact(row: UserNotification) -> Fact:
    """A notification told before that stands for more now."""
    fact = {name: value for name, value in fact_of(row).items() if name != "seq"}
    return {**fact, "kind": COUNTED}


def read_fact(ids: Sequence[UUID], *, unread_count: int, by: str) -> Fact:
    """Entries that were read. `by` names the socket that said so, which is not told."""
    return {"kind": READ, "ids": [str(each) for each in ids], "unread_count": unread_count, "by": by}


def _written(moment: dt.datetime | None) -> Any:
    if moment is None:
        return None
    return moment.astimezone(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
