"""Erasing people and organizations: what goes, what stays without a name, and who may say so."""

from __future__ import annotations

import datetime as dt
from io import StringIO
from pathlib import Path

import pytest
from django.contrib.admin.models import LogEntry
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from accounts.models import Membership, Organization, Session, User
from artefacts.models import ArtefactChunk
from audit import chain
from audit.models import AuditEvent
from auterity.kernel.access import Role
from auterity.kernel.vault import SecretUnreadable
from executions.models import Execution, ExecutionLog, OpenQuestion
from integrations.models import Connection
from integrations.sealed import open_credentials
from privacy import erasing, jobs
from privacy.models import Erasure
from tests.api.people import Person, colleague, refusal
from tests.privacy.rooms import Room, everything_stored, finished, invitation_of, made, rows_of
from vault.models import DataKey
from workflows.models import Workflow, WorkflowComment

pytestmark = pytest.mark.django_db


def test_a_person_is_gone_at_once_and_their_work_stays_without_them(room: Room) -> None:
    user_id = room.bob.actor.user_id
    answer = room.bob.api.delete("/api/account")
    assert answer.status_code == 202, answer.content
    refusal(room.bob.api.get("/api/auth/me"), 401, "AUTH_001")
    erasure = finished(user_id)
    assert erasure.address == ""
    stored = everything_stored()
    assert "bob@example.com" not in stored
    assert "Berg" not in stored
    assert WorkflowComment.objects.of(room.id).get().created_by_id == user_id
    assert Workflow.objects.of(room.id).filter(created_by_id=user_id).count() == 1
    assert OpenQuestion.objects.of(room.id).get().people == [erasing.placeholder(user_id), "ann@example.com"]
    assert not Session.objects.filter(user_id=user_id).exists()
    assert not Membership.objects.filter(user_id=user_id).exists()
    assert room.ann.api.get("/api/auth/me").status_code == 200


def test_what_was_said_of_a_person_names_them_no_more(room: Room) -> None:
    execution = Execution.objects.of(room.id).get()
    room.bob.api.post(f"/api/workflows/executions/{execution.pk}/pause")
    room.bob.api.post(f"/api/workflows/executions/{execution.pk}/cancel")
    execution.refresh_from_db()
    assert execution.error_message == "Cancelled by bob@example.com."
    user_id = room.bob.actor.user_id
    room.bob.api.delete("/api/account")
    finished(user_id)
    assert "bob@example.com" not in everything_stored()
    execution.refresh_from_db()
    assert execution.error_message == f"Cancelled by {erasing.placeholder(user_id)}."
    said = list(ExecutionLog.objects.of(room.id).values_list("message", flat=True))
    assert f"Paused by {erasing.placeholder(user_id)}." in said


def test_what_operators_did_names_nobody_who_is_gone(room: Room, client: Client) -> None:
    root = User.objects.create_superuser("root@example.com", "correct horse 9")
    client.force_login(root)
    bob = User.objects.get(email="bob@example.com")
    about = {"email": bob.email, "first_name": "Robert", "last_name": "Berg", "is_active": "on"}
    assert client.post(f"/admin/accounts/user/{bob.pk}/change/", about).status_code == 302
    about = {"name": "AutoDealer Renamed", "is_active": "on"}
    assert client.post(f"/admin/accounts/organization/{room.id}/change/", about).status_code == 302
    assert {each.object_repr for each in LogEntry.objects.all()} == {"bob@example.com", "AutoDealer Renamed"}
    room.bob.api.delete("/api/account")
    finished(bob.pk)
    assert sorted(each.object_repr for each in LogEntry.objects.all()) == ["AutoDealer Renamed", "Erased"]
    room.ann.api.delete("/api/organization")
    finished(room.id)
    assert {(each.object_repr, each.change_message, each.user_id) for each in LogEntry.objects.all()} == {
        ("Erased", "", root.pk)
    }


def test_the_only_admin_of_others_may_not_go(room: Room) -> None:
    refusal(room.ann.api.delete("/api/account"), 409, "RES_002")
    assert User.objects.filter(email="ann@example.com", is_active=True).exists()
    assert not Erasure.objects.exists()


def test_an_organization_without_anybody_else_goes_with_the_person(room: Room) -> None:
    otto = room.otto
    assert otto.api.delete("/api/account").status_code == 202
    finished(otto.actor.organization_id)
    finished(otto.actor.user_id)
    assert rows_of(otto.actor.organization_id) == {}
    assert "otto@other.example" not in everything_stored()
    assert "Other Motors" not in everything_stored()


def test_erasing_wants_a_login_of_just_now(room: Room) -> None:
    Session.objects.update(fresh_at=timezone.now() - dt.timedelta(minutes=11))
    for person, path in ((room.bob, "/api/account"), (room.ann, "/api/organization")):
        assert person.api.delete(path).status_code == 403
    assert not Erasure.objects.exists()
    assert User.objects.filter(email="bob@example.com").exists()


def test_members_do_not_erase_the_organization(room: Room) -> None:
    refusal(room.bob.api.delete("/api/organization"), 403, "AUTH_003")
    assert not Erasure.objects.exists()


def test_an_organization_goes_after_its_time_of_grace_and_not_before(room: Room) -> None:
    before = rows_of(room.id)
    assert len(before) >= 18, before
    due = room.ann.api.delete("/api/organization").json()["due_at"]
    assert room.ann.api.delete("/api/organization").json()["due_at"] == due
    assert room.ann.api.get("/api/organization/erasure").json()["due_at"] == due
    assert jobs.run_due(now=timezone.now() + dt.timedelta(days=13)) == 0
    assert rows_of(room.id) == before
    assert room.bob.api.get("/api/workflows").status_code == 200


def test_an_organization_that_is_called_off_stays(room: Room) -> None:
    room.ann.api.delete("/api/organization")
    refusal(room.bob.api.delete("/api/organization/erasure"), 403, "AUTH_003")
    assert room.ann.api.delete("/api/organization/erasure").json()["cancelled_at"]
    refusal(room.ann.api.delete("/api/organization/erasure"), 404, "RES_001")
    assert jobs.run_due(now=timezone.now() + dt.timedelta(days=15)) == 0
    assert room.ann.api.get("/api/workflows").status_code == 200


@pytest.mark.django_db(transaction=True)  # Bytes of files go once their rows have gone for good.
def test_nothing_of_an_organization_is_left_and_its_key_is_destroyed(room: Room, tmp_path: Path) -> None:
    assert any(each.is_file() for each in tmp_path.rglob("*")) or ArtefactChunk.objects.exists()
    connection = Connection.objects.of(room.id).get()
    sealed = bytes(connection.sealed)
    others = rows_of(room.otto.actor.organization_id)
    room.ann.api.delete("/api/organization")
    erasure = finished(room.id)
    assert rows_of(room.id) == {}
    assert not DataKey.objects.of(room.id).exists()
    with pytest.raises(SecretUnreadable):  # What a backup holds opens nothing any more.
        open_credentials(organization_id=room.id, connection_id=connection.id, sealed=sealed)
    stored = everything_stored()
    for text in (
        "ann@example.com",
        "bob@example.com",
        "AutoDealer",
        "carl@example.com",
        "A comment",
        "customer-marker",
    ):
        assert text not in stored, text
    assert not ArtefactChunk.objects.exists()
    assert not any(each.is_file() for each in tmp_path.rglob("*"))
    assert erasure.counts["workflows.Workflow"] == 2
    assert Organization.objects.get(pk=room.id).name == "Erased"
    assert rows_of(room.otto.actor.organization_id) == others
    refusal(room.ann.api.get("/api/workflows"), 401, "AUTH_001")


def test_a_member_who_belongs_elsewhere_too_stays(room: Room) -> None:
    Membership.objects.create(user_id=room.otto.actor.user_id, organization_id=room.id, role="member")
    room.ann.api.delete("/api/organization")
    finished(room.id)
    assert room.otto.api.get("/api/workflows").status_code == 200
    assert User.objects.filter(email="otto@other.example", is_active=True).exists()


def test_erasing_goes_on_where_it_stopped(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    room.ann.api.delete("/api/organization")
    deleted = erasing._delete_all
    calls = []

    def failing(table: object, *rest: object) -> None:
        calls.append(table)
        if len(calls) == 12:
            raise OSError("the disk is gone")
        deleted(table, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(erasing, "_delete_all", failing)
    jobs.run_due(now=timezone.now() + dt.timedelta(days=15))
    row = Erasure.objects.get()
    assert (row.finished_at, row.due_at is None) == (None, False)
    finished(room.id)
    assert rows_of(room.id) == {}


def test_what_a_process_writes_late_goes_too(room: Room) -> None:
    room.ann.api.delete("/api/organization")
    jobs.run_due(now=timezone.now() + dt.timedelta(days=15))
    invited = Membership.objects.create(user_id=room.otto.actor.user_id, organization_id=room.id, role="member")
    finished(room.id)
    assert not Membership.objects.filter(pk=invited.pk).exists()


def test_operators_erase_by_command(room: Room) -> None:
    out = StringIO()
    call_command("erase", "user", "bob@example.com", "--now", stdout=out)
    assert "bob@example.com" not in everything_stored()
    call_command("erase", "organization", str(room.id), stdout=out)
    call_command("erase", "keep", str(room.id), stdout=out)
    assert "is kept" in out.getvalue()
    call_command("erase", "organization", str(room.id), "--now", stdout=out)
    assert rows_of(room.id) == {}
    assert "rows of workflows.Workflow" in out.getvalue()
    for wrong in (("user", "nobody@example.com"), ("organization", "x"), ("keep", str(room.id))):
        with pytest.raises(CommandError):
            call_command("erase", *wrong, stdout=out)


def test_an_invited_persons_address_goes_from_an_invitation(room: Room) -> None:
    carl = colleague(room.otto, "carl@example.com", Role.MEMBER)
    assert carl.api.delete("/api/account").status_code == 202
    finished(carl.actor.user_id)
    assert invitation_of(room).email == erasing.placeholder(carl.actor.user_id)
    assert "carl@example.com" not in everything_stored()


def test_an_erased_address_may_register_anew(room: Room, anyone: object) -> None:
    room.bob.api.delete("/api/account")
    finished(room.bob.actor.user_id)
    fresh = colleague(room.otto, "bob@example.com", Role.MEMBER)
    assert made(fresh, "account")[0]["status"] == "completed"


def test_people_of_another_organization_change_nothing_here(room: Room, otto: Person) -> None:
    before = rows_of(room.id)
    otto.api.delete("/api/organization")
    finished(otto.actor.organization_id)
    after = rows_of(room.id)
    assert after.pop("templates_app.TemplateReview", 0) == 0
    before.pop("templates_app.TemplateReview")
    assert after == before


def test_asking_and_erasing_are_in_the_trail_until_the_organization_is_gone(room: Room) -> None:
    room.bob.api.delete("/api/account")
    room.ann.api.post("/api/organization/export")
    room.ann.api.delete("/api/organization")
    told = set(AuditEvent.unscoped.filter(organization_id=room.id).values_list("event_type", flat=True))
    assert {"privacy.erasure_requested", "privacy.export_requested"} <= told
    finished(room.id)
    left = AuditEvent.unscoped.filter(organization_id=room.id).exclude(event_type="audit.pruned")
    assert not [each for each in left if each.user_id == room.bob.actor.user_id]
    assert chain.verify(room.id).problem is None
