"""Writing: telling people, noting what they have read, announcing, and what they do not want to hear of."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from accounts.models import Membership, User
from auterity.kernel.access import Actor, Role
from auterity.kernel.errors import FieldProblem, InvalidInput, PermissionDenied
from auterity.kernel.live import LIVE, Fact
from notifications import selectors
from notifications.live import counted_fact, fact_of, read_fact, topic_of
from notifications.models import (
    ALWAYS_TOLD,
    ANNOUNCED_AS,
    Category,
    Inbox,
    Severity,
    SystemAnnouncement,
    UserNotification,
)

TOGETHER = dt.timedelta(minutes=15)  # within which notices of one key are one notification with a count
READ_AT_ONCE = 500  # ids that one fact names


@dataclass(frozen=True, slots=True)
class Notice:
    """What is to be told. With a `key`, those that come within a quarter of an hour are one notification that counts.

    `many` is its title once it counts more than one, with `{count}` in it. `link` is an address inside the web app.
    """

    category: Category
    severity: Severity
    title: str
    message: str
    link: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)
    key: str = ""
    many: str = ""
    count: int = 1


def notify(
    *,
    organization_id: UUID,
    notice: Notice,
    user_ids: Iterable[UUID] = (),
    roles: Iterable[Role] = (),
    except_for: UUID | None = None,
) -> int:
    """Tell people of one organization, by id or by role: those who belong to it now and have not muted the category.

    Returns how many. The notifications are published once the caller's transaction, if there is one, has committed.
    """
    found = _recipients(organization_id, list(user_ids), [each.value for each in roles])
    people = [each for each in found if each != except_for]
    if not people:
        return 0
    with transaction.atomic():
        inboxes = _locked(organization_id, people)
        wanted = [each for each in inboxes if notice.category in ALWAYS_TOLD or notice.category not in each.muted]
        _enter(organization_id, wanted, notice)
    return len(wanted)


def mark_read(*, actor: Actor, ids: Sequence[UUID] | None = None, by: str = "") -> list[UUID]:
    """Note that the person has read some of their notifications, or all (None). Returns those that were unread.

    An id that is not in the person's inbox is left out. `by` names the socket that says so; the person's others are told.
    """
    unread = selectors.inbox(actor, unread=True)
    if ids is not None:
        unread = unread.filter(id__in=list(ids))
    with transaction.atomic():
        found = list(unread.values_list("id", flat=True))
        rows = UserNotification.objects.of(actor).filter(user_id=actor.user_id)
        for start in range(0, len(found), READ_AT_ONCE):
            rows.filter(id__in=found[start : start + READ_AT_ONCE], read_at=None).update(read_at=timezone.now())
        if found:
            transaction.on_commit(partial(_tell_read, actor, found, by), robust=True)
    return found


def set_preferences(*, actor: Actor, wanted: Mapping[str, bool]) -> dict[str, bool]:
    """Say of which categories to be told; one that is not named stays. Security and system are always told.

    Raises `InvalidInput`.
    """
    known = {each.value for each in Category}
    wrong = [FieldProblem(name, "There is no such category.") for name in wanted if name not in known]
    wrong += [
        FieldProblem(each.value, "This category is always told.") for each in ALWAYS_TOLD if not wanted.get(each, True)
    ]
    if wrong:
        raise InvalidInput(wrong)
    with transaction.atomic():
        (own,) = _locked(actor.organization_id, [actor.user_id])
        told = {each: each not in own.muted for each in known} | dict(wanted)
        own.muted = sorted(each for each in known if not told[each])
        own.save(update_fields=["muted"])
    return selectors.preferences(actor)


def announce(
    *,
    by: User,
    title: str,
    message: str,
    severity: str = Severity.INFO,
    starts_at: dt.datetime | None = None,
    ends_at: dt.datetime | None = None,
) -> SystemAnnouncement:
    """Tell everybody on the platform something, from a moment on (now by default). Operators only.

    It comes into each person's stream within seconds, a batch at a time. Raises `PermissionDenied` or `InvalidInput`.
    """
    if not by.has_perm("notifications.add_systemannouncement"):
        raise PermissionDenied("Only the platform's operators make announcements.")
    starts = starts_at or timezone.now()
    problems = [
        FieldProblem(name, "This field is required.", "required")
        for name, text in (("title", title), ("message", message))
        if not text.strip()
    ]
    if severity not in dict(ANNOUNCED_AS):
        problems.append(FieldProblem("severity", f"Choose one of {', '.join(dict(ANNOUNCED_AS))}."))
    if ends_at is not None and ends_at <= starts:
        problems.append(FieldProblem("ends_at", "The end comes after the beginning."))
    if problems:
        raise InvalidInput(problems)
    return SystemAnnouncement.objects.create(
        severity=severity, title=title.strip()[:200], message=message, starts_at=starts, ends_at=ends_at, created_by=by
    )


def enter_announcement(*, announcement: SystemAnnouncement, organization_id: UUID, user_ids: Sequence[UUID]) -> int:
    """Put an announcement into people's streams, each once. Returns how many did not have it. Call it in a transaction."""
    has = UserNotification.objects.of(organization_id).filter(announcement=announcement, user_id__in=user_ids)
    told = set(has.values_list("user_id", flat=True))
    new = [each for each in user_ids if each not in told]
    notice = Notice(Category.SYSTEM, Severity(announcement.severity), announcement.title, announcement.message)
    _enter(organization_id, _locked(organization_id, new), notice, announcement)
    return len(new)


# -- inside ----------------------------------------------------------------------------------------------------------


def _recipients(organization_id: UUID, user_ids: Sequence[UUID], roles: Sequence[str]) -> list[UUID]:
    members = Membership.objects.filter(organization_id=organization_id, is_active=True, user__is_active=True)
    return list(members.filter(Q(user_id__in=user_ids) | Q(role__in=roles)).values_list("user_id", flat=True))


def _locked(organization_id: UUID, user_ids: Sequence[UUID]) -> list[Inbox]:
    """The people's inboxes, held until the transaction ends. In one order, so that two writers never wait in a ring."""
    rows = Inbox.objects.of(organization_id).filter(user_id__in=user_ids)
    missing = set(user_ids) - set(rows.values_list("user_id", flat=True))
    if missing:
        made = [Inbox(organization_id=organization_id, user_id=each) for each in sorted(missing)]
        Inbox.objects.of(organization_id).bulk_create(made, ignore_conflicts=True)
    return list(rows.select_for_update(no_key=True).order_by("user_id"))


def _enter(
    organization_id: UUID, inboxes: Sequence[Inbox], notice: Notice, announcement: SystemAnnouncement | None = None
) -> None:
    """Add an entry to each of these streams, or count on in the one that has the notice's key already."""
    if not inboxes:
        return
    going_on = _going_on(organization_id, inboxes, notice)
    facts = [_count_on(row, notice) for row in going_on.values()]
    new = []
    for each in inboxes:
        if each.user_id in going_on:
            continue
        each.last_seq += 1
        new.append(_entry(each, notice, announcement))
    UserNotification.objects.of(organization_id).bulk_create(new)
    Inbox.objects.of(organization_id).bulk_update(
        [each for each in inboxes if each.user_id not in going_on], ["last_seq"], batch_size=500
    )
    facts += [(row.user_id, fact_of(row)) for row in new]
    told = [(topic_of(organization_id, user_id), fact) for user_id, fact in facts if fact]
    transaction.on_commit(partial(LIVE.publish, told), robust=True)


def _going_on(organization_id: UUID, inboxes: Sequence[Inbox], notice: Notice) -> dict[UUID, UserNotification]:
    if not notice.key:
        return {}
    rows = UserNotification.objects.of(organization_id).filter(
        user_id__in=[each.user_id for each in inboxes],
        key=notice.key,
        created_at__gt=timezone.now() - TOGETHER,
    )
    return {each.user_id: each for each in rows.order_by("seq")}


def _count_on(row: UserNotification, notice: Notice) -> tuple[UUID, Fact | None]:
    """Say it of one more (or several). Watchers hear of it each time the count has doubled, and when it is unread again."""
    before, was_read = row.count, row.read_at is not None
    row.count += notice.count
    row.title = _title(notice, row.count)
    row.message, row.data = notice.message, {**notice.data, "count": row.count}
    row.severity, row.link, row.read_at = notice.severity, notice.link, None
    row.save(update_fields=["count", "title", "message", "data", "severity", "link", "read_at"])
    doubled = row.count.bit_length() > before.bit_length()
    return row.user_id, counted_fact(row) if doubled or was_read else None


def _entry(inbox: Inbox, notice: Notice, announcement: SystemAnnouncement | None) -> UserNotification:
    counted = {"count": notice.count} if notice.key else {}
    return UserNotification(
        organization_id=inbox.organization_id,
        user_id=inbox.user_id,
        seq=inbox.last_seq,
        category=notice.category,
        severity=notice.severity,
        title=_title(notice, notice.count),
        message=notice.message,
        link=notice.link,
        data={**notice.data, **counted},
        key=notice.key,
        count=notice.count,
        announcement=announcement,
        created_at=timezone.now(),
    )


def _title(notice: Notice, count: int) -> str:
    return (notice.many.format(count=f"{count:,}") if count > 1 and notice.many else notice.title)[:200]


def _tell_read(actor: Actor, ids: Sequence[UUID], by: str) -> None:
    left = selectors.unread_count(actor)
    topic = topic_of(actor.organization_id, actor.user_id)
    LIVE.publish(
        (topic, read_fact(ids[start : start + READ_AT_ONCE], unread_count=left, by=by))
        for start in range(0, len(ids), READ_AT_ONCE)
    )
