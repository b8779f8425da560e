"""What a native app sends: kept once, under the type it has, and refused where it is anything else than it says."""

from __future__ import annotations

import hashlib
import io
import zipfile
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection

from accounts import narrow
from artefacts.models import Artefact, StorageUse
from auterity.kernel.access import Scope
from native.models import SentFile
from tests.api.people import Api, Person
from tests.artefacts import uploads
from tests.artefacts.uploads import MEDIA, body, part
from tests.native.devices import refused

pytestmark = pytest.mark.django_db(transaction=True)

UPLOAD = "/native/api/upload"
CSV = b"id,name\n1,Ann\n"


def send(api: Api, name: str, content: bytes, media: str = "", **fields: Any) -> Any:
    parts = [part(str(value).encode(), f'name="{key}"') for key, value in fields.items()]
    whole = body(*parts, part(content, f'name="file"; filename="{name}"', media))
    return api.post(UPLOAD, raw=whole, media=MEDIA)


def sent(api: Api, name: str, content: bytes, media: str = "", **fields: Any) -> dict[str, Any]:
    answer = send(api, name, content, media, **fields)
    assert answer.status_code == 201, answer.content
    found: dict[str, Any] = answer.json()["data"]
    return found


def nothing_is_kept() -> bool:
    used = sum(StorageUse.unscoped.values_list("bytes", flat=True))
    return not (used or Artefact.unscoped.exists() or SentFile.unscoped.exists())


def test_a_file_is_kept_and_comes_back_where_the_answer_says(ann: Person, otto: Person) -> None:
    digest = hashlib.sha256(CSV).hexdigest()
    made = sent(ann.api, "x.csv", CSV, "text/csv", purpose="workflow_input", sha256=digest.upper())
    about = {
        key: made[key] for key in ("filename", "content_type", "size_bytes", "sha256", "purpose", "indexing_task_id")
    }
    assert about == {
        "filename": "x.csv", "content_type": "text/csv", "size_bytes": len(CSV), "sha256": digest, "purpose": "workflow_input",
        "indexing_task_id": None,
    }  # fmt: skip
    assert ann.api.get(made["download_path"]).getvalue() == CSV
    assert otto.api.get(made["download_path"]).status_code == 404
    (listed,) = ann.api.get("/native/api/data?collection=files").json()["data"]
    assert listed["id"] == made["file_id"]


@pytest.mark.parametrize(
    ("name", "content", "kept_as", "media"),
    [
        ("crash", b"Traceback: it broke", "crash.txt", "text/plain"),
        ("report.final", uploads.pdf(), "report.final.pdf", "application/pdf"),
        ("photo.exe", uploads.picture("PNG"), "photo.exe.png", "image/png"),
        ("book", uploads.workbook(), "book.xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
        ("../../etc/passwd", b"root:x:0:0", "passwd.txt", "text/plain"),
        ("..\\\\..\\\\x.csv", CSV, "x.csv", "text/csv"),
        ("a\u202etxt.csv", CSV, "atxt.csv", "text/csv"),
        ("x" * 300 + ".csv", CSV, "x" * 196 + ".csv", "text/csv"),
        (".htaccess", b"Options", "htaccess.txt", "text/plain"),
    ],
)
def test_the_type_is_told_by_the_bytes(ann: Person, name: str, content: bytes, kept_as: str, media: str) -> None:
    made = sent(ann.api, name, content, "application/x-msdownload")
    assert (made["filename"], made["content_type"]) == (kept_as, media)


def bomb() -> bytes:
    """A workbook that unpacks to far more than it is."""
    return uploads.workbook_with("xl/worksheets/sheet1.xml", b"<a>" + b"0" * 300_000_000 + b"</a>")


HOSTILE = {
    "page.csv": b"<html><script>alert(1)</script>",
    "page": b"<!doctype html><script>alert(1)</script>",
    "vector": b"<svg onload=alert(1)>",
    "program": b"MZ\x90\x00\x03\x00\x00\x00" + b"\x00" * 64,
    "program.txt": b"\x7fELF\x02\x01\x01\x00" + b"\x00" * 64,
    "photo.png": CSV,
    "photo.csv": uploads.picture("PNG"),
    "archive": uploads.zipped({"a.txt": b"x"}),
    "empty.txt": b"",
    "broken.pdf": b"%PDF-1.7 nothing else",
    "polyglot.gif": b"GIF89a" + b"<script>alert(1)</script>" * 10,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_not_what_it_says_is_refused_and_leaves_nothing(ann: Person, name: str) -> None:
    refused(send(ann.api, name, HOSTILE[name]), 415, "ERR_415_MEDIA_TYPE")
    assert nothing_is_kept()


def test_a_workbook_that_unpacks_to_far_more_is_refused(ann: Person) -> None:
    refused(send(ann.api, "bomb.xlsx", bomb()), 415, "ERR_415_MEDIA_TYPE")
    assert nothing_is_kept()


def test_what_rides_along_in_a_picture_is_not_kept(ann: Person) -> None:
    joined = io.BytesIO(uploads.picture("PNG"))
    joined.seek(0, 2)
    with zipfile.ZipFile(joined, "a") as archive:
        archive.writestr("evil.js", "alert(1)")
    content = joined.getvalue()
    made = sent(ann.api, "photo.png", content, sha256=hashlib.sha256(content).hexdigest())
    given = ann.api.get(made["download_path"]).getvalue()
    assert b"alert" not in given
    assert hashlib.sha256(given).hexdigest() == made["sha256"]


def test_a_wrong_checksum_keeps_nothing(ann: Person) -> None:
    error = refused(send(ann.api, "x.csv", CSV, sha256="0" * 64), 400, "ERR_400_CHECKSUM")
    assert error["details"]["sha256"] == hashlib.sha256(CSV).hexdigest()
    assert nothing_is_kept()


@pytest.mark.parametrize(
    "fields",
    [{"sha256": "abc"}, {"purpose": "avatar"}, {"client_upload_id": "7"}, {"filename": "x" * 256}, {"index": "perhaps"},
     {"conversation_id": "7"}],
)  # fmt: skip
def test_fields_of_the_wrong_shape_are_refused(ann: Person, fields: dict[str, str]) -> None:
    refused(send(ann.api, "x.csv", CSV, **fields), 400, "ERR_400_VALIDATION")
    assert nothing_is_kept()


def test_bodies_without_one_file_are_refused(ann: Person) -> None:
    two = part(CSV, 'name="file"; filename="x.csv"')
    for raw in (body(), body(part(b"x", 'name="file"')), body(two, two)):
        refused(ann.api.post(UPLOAD, raw=raw, media=MEDIA), 400, "ERR_400_VALIDATION")
    refused(ann.api.post(UPLOAD, {"file": {"name": "/etc/passwd"}}), 415, "ERR_415_MEDIA_TYPE")
    assert nothing_is_kept()


def test_a_file_over_the_size_or_the_quota_is_refused(ann: Person, settings: Any) -> None:
    from api.workflow_engine.views.native_app import NativeUploadParser

    assert settings.NATIVE["max_upload_bytes"] == NativeUploadParser.most == 25 * 1024 * 1024
    refused(send(ann.api, "x.txt", b"x" * (25 * 1024 * 1024 + 1)), 413, "ERR_413_TOO_LARGE")
    settings.ARTEFACTS = {**settings.ARTEFACTS, "max_organization_bytes": 10}
    refused(send(ann.api, "x.csv", CSV), 413, "ERR_413_TOO_LARGE")
    assert nothing_is_kept()


def test_a_repeat_is_answered_with_the_first(ann: Person, member: Person) -> None:
    name = uuid4()
    first = sent(ann.api, "x.csv", CSV, client_upload_id=name)
    answer = send(ann.api, "other.txt", b"something else", client_upload_id=name)
    assert answer.headers["Idempotent-Replayed"] == "true"
    assert answer.json()["data"] == first
    assert Artefact.unscoped.count() == SentFile.unscoped.count() == 1
    assert ann.api.get(first["download_path"]).getvalue() == CSV
    assert sent(member.api, "y.csv", CSV, client_upload_id=name)["file_id"] != first["file_id"]
    assert ann.api.delete(f"/api/files/{first['file_id']}").status_code == 204
    assert sent(ann.api, "x.csv", CSV, client_upload_id=name)["upload_id"] != first["upload_id"]


def test_repeats_at_once_are_one_file(ann: Person) -> None:
    name = uuid4()

    def again(_number: int) -> dict[str, Any]:
        try:
            return sent(Api(ann.api.token), "x.csv", CSV, client_upload_id=name)
        finally:
            connection.close()

    with ThreadPoolExecutor(5) as pool:
        answers = list(pool.map(again, range(5)))
    assert len({(each["upload_id"], each["file_id"]) for each in answers}) == 1
    assert Artefact.unscoped.count() == SentFile.unscoped.count() == 1
    assert StorageUse.unscoped.get().files == 1
    assert ann.api.get(answers[0]["download_path"]).getvalue() == CSV


def test_what_is_not_there_yet_is_said(ann: Person) -> None:
    answer = send(ann.api, "x.csv", CSV, index="true").json()
    assert answer["data"]["indexing_task_id"] is None
    assert "not indexed" in answer["message"]
    refused(send(ann.api, "x.csv", CSV, conversation_id=uuid4()), 404, "ERR_404_NOT_FOUND")


def test_who_may_send(ann: Person, viewer: Person, anyone: Api) -> None:
    refused(send(viewer.api, "x.csv", CSV), 403, "ERR_403_ROLE")
    refused(send(anyone, "x.csv", CSV), 401, "ERR_401_TOKEN_INVALID")
    refused(
        send(Api(narrow.issue(actor=ann.actor, scopes=[Scope.DATA_READ]).token), "x.csv", CSV), 403, "ERR_403_SCOPE"
    )
    assert nothing_is_kept()
    sent(Api(narrow.issue(actor=ann.actor, scopes=[Scope.UPLOAD]).token), "x.csv", CSV)


def test_ten_files_a_minute(ann: Person, settings: Any) -> None:
    settings.RATE_LIMITS = True
    statuses = [send(ann.api, "x.csv", CSV, purpose="avatar").status_code for _ in range(11)]
    assert statuses == [400] * 10 + [429]
