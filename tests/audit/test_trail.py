"""What is written to the trail, and that nothing of ours can change it afterwards."""

from __future__ import annotations

import datetime as dt
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import DatabaseError, connection, transaction

from audit import chain, guards, masking, trail
from audit.models import PLATFORM, AppendOnly, AuditChain, AuditEvent
from audit.origin import Origin, coming_from
from auterity.kernel import sql
from auterity.kernel.access import ROLE_PERMISSIONS, Actor, Role

pytestmark = pytest.mark.django_db


def events(organization_id: UUID) -> list[AuditEvent]:
    return list(AuditEvent.objects.of(organization_id).order_by("id"))


def test_an_event_says_who_what_and_from_where(ours: UUID) -> None:
    actor = Actor(uuid4(), ours, Role.ADMIN, ROLE_PERMISSIONS[Role.ADMIN], session_id=uuid4())
    with coming_from(Origin("203.0.113.9", "Mozilla\n5", "req-12345678", "/api/workflows")):
        trail.record(
            "workflow.deleted", "delete", organization_id=ours, actor=actor, resource_type="workflow", resource_id=7
        )
    (event,) = events(ours)
    assert (event.user_id, event.session_id, event.kind) == (actor.user_id, actor.session_id, "user")
    assert (event.address, event.user_agent) == ("203.0.113.9", "Mozilla?5")
    assert (event.request_id, event.path, event.resource_id) == ("req-12345678", "/api/workflows", "7")
    assert (event.sequence, event.hash) == (None, "")


def test_who_acts_is_told_apart(ours: UUID) -> None:
    trail.record("retention.swept", "sweep", organization_id=ours)
    with coming_from(Origin(path="/api/auth/login")):
        trail.record("auth.login.failed", "login", organization_id=ours, outcome="failure")
        trail.record("auth.login.opened", "login", organization_id=ours, user_id=uuid4())
    assert [each.kind for each in events(ours)] == ["system", "outside", "user"]


def test_what_belongs_to_nobody_is_in_the_platforms_chain(db: None) -> None:
    event = trail.record("auth.login.failed", "login", organization_id=None, outcome="failure")
    assert event.chain == PLATFORM
    assert event.organization_id is None


def test_what_is_rolled_back_was_never_done(ours: UUID) -> None:
    with transaction.atomic():
        trail.record("workflow.deleted", "delete", organization_id=ours)
        transaction.set_rollback(True)
    assert events(ours) == []


@pytest.mark.parametrize("wrong", ["login", "Auth.login", "auth..login", "auth.login ", "a." + "b" * 90])
def test_an_event_type_that_is_none_is_a_defect(ours: UUID, wrong: str) -> None:
    with pytest.raises(ValueError, match="is no event type"):
        trail.record(wrong, "login", organization_id=ours)
    assert events(ours) == []


SECRETS: list[dict[str, Any]] = [
    {"password": "hunter2-planted"},
    {"new-password": {"nested": "hunter2-planted"}},
    {"Authorization": "Bearer hunter2-planted-token"},
    {"apiKey": ["hunter2-planted"]},
    {"config": {"client_secret": "hunter2-planted"}},
    {"headers": [{"X-Api-Key": "hunter2-planted"}]},
    {"note": "sent Bearer hunter2-planted.abcdefgh to them"},
    {"note": "eyJhbGciOiJIUzI1NiJ9.hunter2-planted-body.hunter2-planted"},
    {"url": "postgres://me:hunter2-planted@db.example/x"},
    {"note": "sk-hunter2-planted0000000000"},
    {"pem": "-----BEGIN PRIVATE KEY-----\nhunter2-planted\n-----END PRIVATE KEY-----"},
    {"totp_code": "hunter2-planted", "session_token": "hunter2-planted"},
]


@pytest.mark.parametrize("details", SECRETS, ids=lambda each: next(iter(each)))
def test_no_secret_is_kept(ours: UUID, details: dict[str, Any]) -> None:
    trail.record("connection.created", "create", organization_id=ours, details={**details, "name": "Sales"})
    with connection.cursor() as cursor:
        cursor.execute("SELECT details FROM audit_events")
        ((stored,),) = cursor.fetchall()
    assert "hunter2" not in stored
    assert masking.MASK in stored
    assert "Sales" in stored


def test_rubbish_is_kept_as_what_can_be_stored(ours: UUID) -> None:
    deep: dict[str, Any] = {}
    inner = deep
    for _ in range(50):
        inner["x"] = {}
        inner = inner["x"]
    given = {
        "nul": "a\x00b",
        "surrogate": "\ud800",
        "nan": float("nan"),
        "big": 2**70,
        "id": uuid4(),
        "at": dt.datetime.now(dt.UTC),
        "deep": deep,
        "set": {1},
        3: "number",
    }
    trail.record("custom.thing", "note", organization_id=ours, details=given)  # type: ignore[arg-type]
    (event,) = events(ours)
    assert event.details["nul"] == "ab"
    assert event.details["big"] == str(2**70)
    chain.seal_all()
    assert chain.verify(ours).intact


def test_details_that_are_too_large_are_left_out_and_it_is_said(ours: UUID) -> None:
    trail.record("custom.thing", "note", organization_id=ours, details={str(each): "x" * 1500 for each in range(100)})
    (event,) = events(ours)
    assert event.details["left_out"] == "too large"


def test_the_orm_changes_and_deletes_nothing(ours: UUID) -> None:
    event = trail.record("workflow.deleted", "delete", organization_id=ours)
    rows = AuditEvent.objects.of(ours)
    for change in (
        lambda: rows.update(action="x"),
        lambda: rows.delete(),
        lambda: rows.bulk_update([event], ["action"]),
        lambda: AuditEvent.unscoped.all().delete(),
        lambda: AuditEvent._base_manager.filter(pk=event.pk).update(action="x"),
        event.save,
        event.delete,
    ):
        with pytest.raises(AppendOnly):
            change()
    assert [each.action for each in events(ours)] == ["delete"]


@pytest.mark.parametrize("sealed", [False, True])
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_events SET action = 'x'",
        "UPDATE audit_events SET details = '{}', sequence = 9",
        "UPDATE audit_events SET created_at = occurred_at",
        "DELETE FROM audit_events",
        "DELETE FROM audit_chains WHERE last_sequence >= 0",
        "UPDATE audit_chains SET last_sequence = last_sequence - 1",
        "UPDATE audit_chains SET pruned_sequence = last_sequence + 1",
    ],
)
def test_the_database_refuses_too(ours: UUID, statement: str, sealed: bool) -> None:
    trail.record("other.thing", "first", organization_id=ours)
    chain.seal_all()
    trail.record("workflow.deleted", "delete", organization_id=ours)
    if sealed:
        chain.seal_all()
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    assert len(events(ours)) == 2


def test_a_seal_is_set_once(ours: UUID) -> None:
    trail.record("workflow.deleted", "delete", organization_id=ours)
    chain.seal_all()
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE audit_events SET hash = %s WHERE chain = %s", ["0" * 64, sql.value(ours)])
    assert AuditChain.objects.get(pk=ours).last_sequence == 1


def test_a_guard_that_is_gone_is_noticed(ours: UUID) -> None:
    trail.record("workflow.deleted", "delete", organization_id=ours)
    chain.seal_all()
    guards.remove()
    found = chain.verify(ours)
    assert not found.intact
    assert "no longer guards" in str(found.problem)
    guards.install()
    assert chain.verify(ours).intact
