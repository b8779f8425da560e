"""Reading a person's own inbox. Everybody may read theirs; nobody reads another's."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.db.models.functions import Coalesce, Greatest

from artefacts.selectors import retention_of
from auterity.kernel.access import Actor
from auterity.kernel.models import first_id_of
from notifications.models import ALWAYS_TOLD, Category, Inbox, UserNotification


def inbox(actor: Actor, *, unread: bool | None = None, category: str | None = None) -> QuerySet[UserNotification]:
    """The person's notifications and announcements in this organization, newest first; lazily."""
    rows = UserNotification.objects.of(actor).filter(user_id=actor.user_id).select_related("announcement")
    if unread is not None:
        rows = rows.filter(read_at__isnull=unread)
    if category is not None:
        rows = rows.filter(category=category)
    return rows.order_by("-seq")


def changed(actor: Actor) -> QuerySet[Any]:
    """The person's entries with the `moment` they were made or read at. One is counted on in for some minutes after it was made
    (`services.TOGETHER`) without another moment."""
    rows: QuerySet[Any] = inbox(actor).order_by()
    return rows.annotate(moment=Greatest("created_at", Coalesce("read_at", "created_at")))


def latest(actor: Actor, limit: int = 20) -> list[UserNotification]:
    """The newest entries, newest first."""
    return list(inbox(actor)[:limit])


def after(actor: Actor, seq: int, limit: int = 1000) -> list[UserNotification]:
    """The entries behind a sequence number, in order: what a client that reconnects has missed."""
    return list(inbox(actor).filter(seq__gt=seq).order_by("seq")[:limit])


def unread_count(actor: Actor) -> int:
    return inbox(actor, unread=True).order_by().count()


def last_seq(actor: Actor) -> int:
    """The number of the newest entry; 0 before the first."""
    found = Inbox.objects.of(actor).filter(user_id=actor.user_id).values_list("last_seq", flat=True).first()
    return found or 0


def last_seqs(whose: Collection[tuple[UUID, UUID]]) -> dict[tuple[UUID, UUID], int]:
    """The same of many people, each as (organization, person): one query for all who are connected."""
    found = Inbox.unscoped.filter(user_id__in={user_id for _, user_id in whose})
    stored = {
        (organization, user): seq
        for organization, user, seq in found.values_list("organization_id", "user_id", "last_seq")
    }
    return {each: stored.get(each, 0) for each in whose}


def preferences(actor: Actor) -> dict[str, bool]:
    """Whether the person is told of each category."""
    found = Inbox.objects.of(actor).filter(user_id=actor.user_id).first()
    muted = set(found.muted) if found else set()
    return {each.value: each in ALWAYS_TOLD or each.value not in muted for each in Category}


def forgotten(organization_id: UUID, now: dt.datetime) -> QuerySet[Any]:
    """Notifications that are no longer kept: as long as the organization keeps its executions, for they are about those."""
    before = first_id_of(now - dt.timedelta(days=retention_of(organization_id).execution_days))
    rows: QuerySet[Any] = UserNotification.objects.of(organization_id).filter(pk__lt=before)
    return rows
