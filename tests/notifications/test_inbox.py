"""A person's inbox: numbers without gaps, storms as one row with a count, and nobody else's notifications."""

from __future__ import annotations

import datetime as dt
import threading
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection, transaction
from django.utils import timezone

from accounts import members
from accounts.models import User
from auterity.kernel.access import Role
from auterity.kernel.errors import InvalidInput, PermissionDenied
from executions import retention
from notifications import announcing, selectors, services
from notifications.models import Category, Severity, SystemAnnouncement, UserNotification
from notifications.services import Notice, announce, notify
from tests.api.people import Person, colleague

pytestmark = pytest.mark.django_db(transaction=True)


def told(person: Person, text: str = "Hello", **more: Any) -> int:
    notice = Notice(
        **{"category": Category.WORKFLOW, "severity": Severity.INFO, "title": text, "message": text, **more}
    )
    return notify(organization_id=person.actor.organization_id, user_ids=[person.actor.user_id], notice=notice)


def titles(person: Person) -> list[str]:
    return [each.title for each in selectors.latest(person.actor)]


def test_numbers_have_no_gaps_when_many_tell_at_once(ann: Person, member: Person) -> None:
    def tell(name: str) -> None:
        people = [ann.actor.user_id, member.actor.user_id]
        for number in range(50):
            notice = Notice(Category.MENTION, Severity.INFO, f"{name} {number}", "…")
            notify(organization_id=ann.actor.organization_id, user_ids=people, notice=notice)
        connection.close()

    threads = [threading.Thread(target=tell, args=(name,)) for name in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(100)
    for person in (ann, member):
        rows = selectors.after(person.actor, 0, 1000)
        assert [each.seq for each in rows] == list(range(1, 101))
        assert selectors.last_seq(person.actor) == 100
        for name in ("one", "two"):
            own = [each.title for each in rows if each.title.startswith(name)]
            assert own == [f"{name} {number}" for number in range(50)]


def test_what_is_rolled_back_takes_no_number(ann: Person) -> None:
    told(ann)
    with transaction.atomic():
        told(ann)
        transaction.set_rollback(True)
    told(ann)
    assert [each.seq for each in selectors.after(ann.actor, 0)] == [1, 2]


def test_a_storm_of_one_key_is_one_notification_with_a_count(ann: Person) -> None:
    for number in range(30):
        told(ann, f"Run {number} failed", key="failed:x", many="{count} runs failed")
    told(ann, "Another", key="failed:y")
    rows = selectors.latest(ann.actor)
    assert [(each.title, each.message, each.count, each.seq) for each in rows] == [
        ("Another", "Another", 1, 2),
        ("30 runs failed", "Run 29 failed", 30, 1),
    ]
    assert rows[1].data["count"] == 30


def test_after_a_quarter_of_an_hour_it_is_a_new_one(ann: Person) -> None:
    told(ann, key="failed:x")
    rows = UserNotification.objects.of(ann.actor)
    rows.update(created_at=timezone.now() - services.TOGETHER - dt.timedelta(seconds=1))
    told(ann, key="failed:x")
    assert [(each.count, each.seq) for each in selectors.latest(ann.actor)] == [(1, 2), (1, 1)]


def test_what_was_read_is_unread_again_when_it_comes_again(ann: Person) -> None:
    told(ann, key="failed:x")
    services.mark_read(actor=ann.actor)
    assert selectors.unread_count(ann.actor) == 0
    told(ann, key="failed:x")
    assert (selectors.unread_count(ann.actor), selectors.last_seq(ann.actor)) == (1, 1)


def test_only_members_of_the_organization_are_told(ann: Person, member: Person, viewer: Person, otto: Person) -> None:
    notice = Notice(Category.SYSTEM, Severity.INFO, "For admins and Otto", "…")
    count = notify(
        organization_id=ann.actor.organization_id,
        user_ids=[otto.actor.user_id, viewer.actor.user_id, uuid4()],
        roles=[Role.ADMIN],
        notice=notice,
    )
    assert count == 2
    assert [len(titles(each)) for each in (ann, member, viewer, otto)] == [1, 0, 1, 0]
    members.member_update(actor=ann.actor, user_id=viewer.actor.user_id, is_active=False)
    assert notify(organization_id=ann.actor.organization_id, user_ids=[viewer.actor.user_id], notice=notice) == 0


def test_what_is_muted_is_not_told_except_security(ann: Person) -> None:
    answer = ann.api.put("/api/notifications/preferences", {"categories": {"workflow": False}})
    assert answer.json()["categories"]["workflow"] is False
    assert told(ann) == 0
    assert told(ann, category=Category.SECURITY) == 1
    assert ann.api.get("/api/notifications/preferences").json()["categories"]["security"] is True
    with pytest.raises(InvalidInput):
        services.set_preferences(actor=ann.actor, wanted={"security": False})
    ann.api.put("/api/notifications/preferences", {"categories": {"workflow": True}})
    assert told(ann) == 1


def test_listing_filtering_and_marking_over_http(ann: Person, member: Person, otto: Person) -> None:
    for number in range(25):
        told(ann, f"n{number}", category=Category.QUOTA if number % 5 == 0 else Category.WORKFLOW)
    told(member, "of the member")
    page = ann.api.get("/api/notifications?page=2&limit=10").json()
    assert (page["total"], page["total_pages"], page["unread_count"]) == (25, 3, 25)
    assert [each["title"] for each in page["notifications"]] == [f"n{number}" for number in range(14, 4, -1)]
    first = page["notifications"][0]
    assert {"type", "id", "title", "message", "timestamp"} <= set(first)
    assert (first["type"], first["seq"], first["read"], first["link"]) == ("user_notification", 15, False, None)

    read = ann.api.post("/api/notifications/read", {"ids": [first["id"], str(uuid4())]}).json()
    assert read == {"ids": [first["id"]], "unread_count": 24}
    assert ann.api.get("/api/notifications?unread=false").json()["total"] == 1
    assert ann.api.get("/api/notifications?unread=true&category=quota").json()["total"] == 5
    # Nobody marks, or sees, what is somebody else's.
    for stranger in (member, otto):
        own = stranger.api.post("/api/notifications/read", {"ids": [page["notifications"][1]["id"]]}).json()
        assert own["ids"] == []
    assert [each["title"] for each in member.api.get("/api/notifications").json()["notifications"]] == ["of the member"]
    assert otto.api.get("/api/notifications").json()["total"] == 0
    assert ann.api.post("/api/notifications/read", {}).json()["unread_count"] == 0
    assert member.api.get("/api/notifications").json()["unread_count"] == 1


@pytest.mark.parametrize("body", [{"ids": "all"}, {"ids": ["x"]}, {"ids": [str(uuid4())] * 1001}])
def test_what_is_no_list_of_ids_is_refused(ann: Person, body: Any) -> None:
    told(ann)
    assert ann.api.post("/api/notifications/read", body).status_code == 400
    assert selectors.unread_count(ann.actor) == 1


def operator() -> User:
    return User.objects.create_superuser("root@example.com", "x")


def test_an_announcement_comes_into_everybodys_stream_once(
    ann: Person, member: Person, otto: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(announcing, "SETTLED_SECONDS", -1.0)
    monkeypatch.setattr(announcing, "BATCH", 2)
    told(ann, "before")
    later = timezone.now() + dt.timedelta(hours=1)
    announce(by=operator(), title="Maintenance", message="On Sunday.", severity="warning", ends_at=later)
    announce(by=User.objects.get(email="root@example.com"), title="Not yet", message="…", starts_at=later)
    assert announcing.tell_announcements() == 3
    assert announcing.tell_announcements() == 0
    assert (titles(ann), titles(member), titles(otto)) == (["Maintenance", "before"], ["Maintenance"], ["Maintenance"])
    assert [each.seq for each in selectors.after(ann.actor, 0)] == [1, 2]
    shown = ann.api.get("/api/notifications").json()["notifications"][0]
    assert (shown["type"], shown["severity"], shown["category"]) == ("system_announcement", "warning", "system")
    assert shown["ends_at"]
    new = colleague(ann, "new@example.com", Role.MEMBER)
    assert announcing.tell_announcements() == 1
    assert titles(new) == ["Maintenance"]
    assert SystemAnnouncement.objects.get(title="Maintenance").told == 4


def test_only_operators_announce(ann: Person) -> None:
    with pytest.raises(PermissionDenied):
        announce(by=User.objects.get(id=ann.actor.user_id), title="Hello", message="…")
    with pytest.raises(InvalidInput) as refused:
        announce(by=operator(), title=" ", message="", severity="success")
    assert [each.field for each in refused.value.problems] == ["title", "message", "severity"]
    assert SystemAnnouncement.objects.count() == 0


def test_old_notifications_are_forgotten_with_the_rest(ann: Person) -> None:
    told(ann, "old")
    told(ann, "new")
    assert retention.sweep().counts == {}
    ahead = timezone.now() + dt.timedelta(days=91)
    assert retention.sweep(now=ahead).counts["notifications"] == 2
