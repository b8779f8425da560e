"""Bringing announcements into everybody's stream, a batch of memberships at a time, by a cursor that a crash cannot lose."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from accounts.models import Membership
from auterity.kernel.models import first_id_of
from notifications.models import SystemAnnouncement
from notifications.services import enter_announcement

BATCH = 200  # memberships of one transaction
BATCHES = 50  # that one look brings
SETTLED_SECONDS = 5.0


def tell_announcements() -> int:
    """Tell the announcements that hold now to whoever has not been told. Returns how many people were. Harmless when
    several processes do it at once."""
    now = timezone.now()
    holding = Q(starts_at__lte=now) & (Q(ends_at=None) | Q(ends_at__gt=now))
    told = 0
    for announcement_id in list(SystemAnnouncement.objects.filter(holding).values_list("id", flat=True)):
        for _ in range(BATCHES):
            count = _tell_some(announcement_id)
            if count is None:
                break
            told += count
    return told


def _tell_some(announcement_id: UUID) -> int | None:
    """The next batch; how many of it were told, or None when there is nobody left."""
    told_to = SystemAnnouncement.objects.values_list("told_to", flat=True).get(id=announcement_id)
    if not _next(told_to).exists():  # Most looks find nobody; only a writer takes SQLite's one lock.
        return None
    with transaction.atomic():
        rows = SystemAnnouncement.objects.filter(id=announcement_id)
        if connection.features.has_select_for_update_skip_locked:
            rows = rows.select_for_update(skip_locked=True)
        announcement = rows.first()
        if announcement is None:  # Another process is telling it.
            return None
        batch = list(_next(announcement.told_to).values_list("id", "organization_id", "user_id")[:BATCH])
        if not batch:
            return None
        by_organization: dict[UUID, list[UUID]] = defaultdict(list)
        for _, organization_id, user_id in batch:
            by_organization[organization_id].append(user_id)
        count = sum(
            enter_announcement(announcement=announcement, organization_id=organization_id, user_ids=user_ids)
            for organization_id, user_ids in sorted(by_organization.items())
        )
        announcement.told_to, announcement.told = batch[-1][0], announcement.told + count
        announcement.save(update_fields=["told_to", "told"])
    return count


def _next(told_to: UUID | None) -> QuerySet[Membership]:
    """By key, and so by age. The very newest come at the next look: one with a smaller id may still be uncommitted."""
    settled = first_id_of(timezone.now() - dt.timedelta(seconds=SETTLED_SECONDS))
    rows = Membership.objects.filter(is_active=True, user__is_active=True, organization__is_active=True, id__lt=settled)
    return (rows if told_to is None else rows.filter(id__gt=told_to)).order_by("id")
