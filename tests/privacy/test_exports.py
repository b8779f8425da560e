"""A copy of everything: who gets whose, what is in it, and what never is."""

from __future__ import annotations

import datetime as dt
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from accounts.models import Membership
from artefacts.models import Artefact
from privacy import jobs, services
from privacy.models import DataExport, ExportStatus
from tests.api.people import Api, Person, refusal
from tests.privacy.rooms import HOOK, TEXT, TOKEN, Room, lines, made

pytestmark = pytest.mark.django_db


def test_an_organizations_copy_has_every_table_and_every_file_and_no_secret(room: Room) -> None:
    about, archive = made(room.ann, "organization")
    assert (about["status"], about["progress"]) == ("completed", 100)
    assert archive.testzip() is None
    assert len(lines(archive, "workflows")) == 2
    assert archive.read(f"files/{room.file}/customers.csv") == TEXT
    assert {each["email"] for each in lines(archive, "users")} == {"ann@example.com", "bob@example.com"}
    everything = b"".join(archive.read(each) for each in archive.namelist())
    for secret in (HOOK, TOKEN, "sealed:", "argon2", "token_hash", "otto@other.example"):
        assert secret.encode() not in everything, secret
    drawn = next(each for each in lines(archive, "workflow_versions") if "hook" in str(each["definition"]))
    assert drawn["definition"]["nodes"][0]["config"]["secret"] == "********"
    manifest = archive.read("manifest.json")
    assert b'"workflow_comments": 1' in manifest


def test_a_persons_copy_is_about_them_alone(room: Room) -> None:
    _, archive = made(room.bob, "account")
    assert [each["email"] for each in lines(archive, "users")] == ["bob@example.com"]
    assert [each["body"] for each in lines(archive, "workflow_comments")] == ["A comment of Bob's"]
    assert archive.read(f"files/{room.file}/customers.csv") == TEXT
    drawn = lines(archive, "workflows")
    assert len(drawn) == 1
    assert set(drawn[0]) == {"id", "created_at", "organization_id", "name"}
    everything = b"".join(archive.read(each) for each in archive.namelist())
    assert b"ann@example.com" not in everything
    assert b"input_data" not in everything


def test_only_admins_ask_for_the_organizations(room: Room) -> None:
    refusal(room.bob.api.post("/api/organization/export"), 403, "AUTH_003")
    refusal(room.bob.api.get("/api/organization/export"), 403, "AUTH_003")
    assert not DataExport.unscoped.exists()


def test_one_at_a_time(room: Room) -> None:
    first = room.bob.api.post("/api/account/export")
    assert first.status_code == 202
    refusal(room.bob.api.post("/api/account/export"), 409, "RES_002")
    jobs.run_due()
    assert room.bob.api.post("/api/account/export").status_code == 202


def test_a_copy_is_nobodys_file(room: Room, otto: Person) -> None:
    about, _ = made(room.ann, "organization")
    file = str(DataExport.unscoped.get().file_id)
    assert file not in [each["id"] for each in room.bob.api.get("/api/files").json()["files"]]
    refusal(room.bob.api.get(f"/api/files/{file}/content"), 404, "RES_001")
    refusal(otto.api.get("/api/organization/export"), 404, "RES_001")
    assert about["download_url"].startswith(f"/api/exports/{about['id']}/content")


def spoiled(link: str) -> list[str]:
    path, _, signature = link.partition("?signature=")
    other = "018f0000-0000-7000-8000-000000000000"
    return [
        path,
        f"{path}?signature=",
        f"{path}?signature={signature[:-1]}",
        f"{path}?signature={signature[::-1]}",
        f"/api/exports/{other}/content?signature={signature}",
        f"{path}?signature={'a' * 400}",
    ]


def test_a_link_opens_its_file_alone_and_only_as_it_was_made(room: Room, anyone: Api) -> None:
    link = made(room.ann, "organization")[0]["download_url"]
    assert anyone.get(link).status_code == 200
    for each in spoiled(link):
        assert anyone.get(each).status_code in (400, 404), each
    own = made(room.bob, "account")[0]["download_url"]
    mixed = link.partition("?")[0] + "?" + own.partition("?")[2]
    refusal(anyone.get(mixed), 404, "RES_001")


def test_a_link_ends_with_its_time_its_owners_rights_and_its_file(room: Room, anyone: Api, settings: Any) -> None:
    link = made(room.ann, "organization")[0]["download_url"]
    kept = settings.PRIVACY
    settings.PRIVACY = {**kept, "link_lifetime": dt.timedelta(seconds=-1)}
    refusal(anyone.get(link), 404, "RES_001")
    settings.PRIVACY = kept
    member = Membership.objects.filter(user_id=room.ann.actor.user_id)
    member.update(role="member")
    refusal(anyone.get(link), 404, "RES_001")
    member.update(role="admin")
    assert anyone.get(link).status_code == 200
    DataExport.unscoped.update(expires_at=timezone.now())
    refusal(anyone.get(link), 404, "RES_001")
    assert Artefact.unscoped.get(key__startswith="export/").expires_at is not None


def test_old_ones_are_forgotten(room: Room) -> None:
    made(room.bob, "account")
    assert services.expire_exports(now=timezone.now() + dt.timedelta(days=6)) == 0
    assert services.expire_exports(now=timezone.now() + dt.timedelta(days=8)) == 1


def test_one_that_cannot_be_stored_says_so(room: Room, settings: Any) -> None:
    settings.ARTEFACTS = {**settings.ARTEFACTS, "max_organization_bytes": 10}
    room.bob.api.post("/api/account/export")
    jobs.run_due()
    about = room.bob.api.get("/api/account/export").json()
    assert about["status"] == "failed"
    assert "bytes" in about["error"]
    assert about["download_url"] is None


def test_a_worker_that_died_is_taken_over(room: Room) -> None:
    room.bob.api.post("/api/account/export")
    now = timezone.now()
    DataExport.unscoped.update(status=ExportStatus.RUNNING, attempts=1, due_at=now + jobs.LEASE)
    assert jobs.run_due(now=now) == 0
    assert jobs.run_due(now=now + 2 * jobs.LEASE) == 1
    assert DataExport.unscoped.get().status == ExportStatus.COMPLETED


@pytest.mark.django_db(transaction=True)
def test_two_workers_make_it_once(ann: Person) -> None:
    ann.api.made("/api/account/export")

    def work(_: int) -> int:
        try:
            return jobs.run_due()
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(work, range(4))) == 1
    assert DataExport.unscoped.get().attempts == 1


def test_an_api_key_is_no_person(room: Room) -> None:
    made_key = room.ann.api.made("/api/organization/api-keys", {"name": "All", "scopes": ["organization:manage"]})
    key = Api(made_key["key"])
    for path in ("/api/account/export", "/api/organization/export"):
        assert key.post(path).status_code == 403, path
    for path in ("/api/account", "/api/organization"):
        assert key.delete(path).status_code == 403, path
    assert not DataExport.unscoped.exists()
