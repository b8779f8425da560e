"""Files over HTTP: what is taken, what is refused and leaves nothing behind, and how they are given out again."""

from __future__ import annotations

import hashlib
import io
import zlib
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from artefacts.models import Artefact, ArtefactChunk, StorageUse
from tests.api.people import JSON, Api, Person, refusal
from tests.api.routes import Route, routes
from tests.artefacts import uploads
from tests.artefacts.uploads import MEDIA, body, file_body, part, send

pytestmark = pytest.mark.django_db(transaction=True)

CSV = b"id,name\n1,Ann\n"


def nothing_is_kept(settings: Any) -> bool:
    folder = Path(settings.ARTEFACTS["folder"])
    on_disk = [each for each in folder.rglob("*") if each.is_file()] if folder.exists() else []
    used = sum(StorageUse.unscoped.values_list("bytes", flat=True))
    return not (on_disk or used or Artefact.unscoped.exists() or ArtefactChunk.objects.exists())


@pytest.fixture(autouse=True)
def own_folder(settings: Any, tmp_path: Path) -> None:
    settings.ARTEFACTS = {**settings.ARTEFACTS, "folder": tmp_path / "files"}


GOOD = {
    "x.csv": (CSV, "text/csv", "text/csv"),
    "y.csv": (CSV, "application/vnd.ms-excel", "text/csv"),
    "z.csv": (CSV, "application/octet-stream", "text/csv"),
    "x.tsv": (b"a\tb\n", "", "text/tab-separated-values"),
    "x.txt": ("Grüße".encode("utf-16"), "text/plain; charset=utf-16", "text/plain"),
    "x.json": (b"\xef\xbb\xbf [1]", JSON, JSON),
    "x.jsonl": (b'{"a": 1}\n', "application/jsonl", "application/x-ndjson"),
    "x.xml": (b"<?xml version='1.0'?><a/>", "text/xml", "application/xml"),
    "x.eml": (b"From: a@example.com\r\n\r\nHello", "message/rfc822", "message/rfc822"),
    "X.PDF": (uploads.pdf(), "application/pdf", "application/pdf"),
    "x.xlsx": (uploads.workbook(), "", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
}


@pytest.mark.parametrize("name", GOOD)
def test_a_file_comes_back_as_it_was(ann: Person, name: str) -> None:
    content, media, stored_as = GOOD[name]
    answer = send(ann.api, name, content, media)
    assert answer.status_code == 201, answer.content
    made = answer.json()
    about = {
        "name": name,
        "media_type": stored_as,
        "size": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "purpose": "upload",
        "execution_id": None,
        "created_by": str(ann.actor.user_id),
        "expires_at": None,
    }
    assert {key: made[key] for key in about} == about
    assert ann.api.get(f"/api/files/{made['id']}").json() == made
    given = ann.api.get(f"/api/files/{made['id']}/content", Accept="application/pdf")
    assert (given.status_code, given.getvalue()) == (200, content)
    wanted = {
        "Content-Type": stored_as,
        "Content-Length": str(len(content)),
        "Content-Disposition": f'attachment; filename="{name}"',
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "X-Content-Type-Options": "nosniff",
        "ETag": f'"{made["sha256"]}"',
    }
    assert {key: given.headers[key] for key in wanted} == wanted


@pytest.mark.parametrize("kind", ["png", "jpeg", "gif", "webp"])
def test_a_picture_is_made_anew_without_what_rode_along(ann: Person, kind: str) -> None:
    exif = Image.Exif()
    exif[0x010E] = "secret place"
    more = {} if kind == "gif" else {"exif": exif.tobytes()}
    content = uploads.picture(kind, **more) + b"<script>alert(1)</script>"
    answer = send(ann.api, f"photo.{kind}", content, f"image/{kind}")
    assert answer.status_code == 201, answer.content
    given = ann.api.get(f"/api/files/{answer.json()['id']}/content").getvalue()
    assert b"script" not in given
    assert b"secret place" not in given
    with Image.open(io.BytesIO(given)) as again:
        assert (again.format, again.size) == (kind.upper(), (3, 2))


def deep_picture() -> bytes:
    """A PNG of 50,000 x 50,000 pixels by its header."""
    content = bytearray(uploads.picture("png"))
    content[16:24] = (50_000).to_bytes(4, "big") * 2
    content[29:33] = zlib.crc32(content[12:29]).to_bytes(4, "big")
    return bytes(content)


PATHS = [
    {"file": "/etc/passwd"},
    {"file": {"path": "/etc/passwd", "name": "x.csv", "size": 3}},
    {"files": {"file": {}}},
]
HTML = b"<!DOCTYPE html><html><script>alert(1)</script></html>"
SVG = b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>'
ENTITY = b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>'

# name, content, declared type, status, what is told
HOSTILE: dict[str, tuple[str, bytes, str, int, str]] = {
    "a page": ("x.html", HTML, "text/html", 415, "extension 'html'"),
    "a page as text": ("x.txt", HTML, "text/plain", 415, "its content is something else"),
    "a page as csv after a mark": (
        "x.csv",
        b"\xef\xbb\xbf \n<script>alert(1)</script>",
        "text/csv",
        415,
        "something else",
    ),
    "a page as xml": ("x.xml", b"<?xml version='1.0'?>" + HTML[15:], "text/xml", 415, "something else"),
    "a drawing": ("x.svg", SVG, "image/svg+xml", 415, "extension 'svg'"),
    "a drawing as xml": ("x.xml", SVG, "application/xml", 415, "something else"),
    "a drawing as a picture": ("x.png", SVG, "image/png", 415, "something else"),
    "entities": ("x.xml", ENTITY, "application/xml", 415, "something else"),
    "entities in UTF-16": ("x.xml", ENTITY.decode().encode("utf-16"), "application/xml", 415, "something else"),
    "a program": ("x.exe", b"MZ\x90\0", "application/octet-stream", 415, "extension 'exe'"),
    "a program as csv": ("x.csv", b"MZ\x90\0\x03\0\0", "text/csv", 415, "something else"),
    "a program as pdf": ("x.pdf", b"\x7fELF\x02\x01", "application/pdf", 415, "something else"),
    "a script": ("x.py", b"import os", "text/x-python", 415, "extension 'py'"),
    "two extensions": ("x.csv.php", b"<?php system($_GET['c']);", "text/csv", 415, "extension 'php'"),
    "a NUL in the name's extension": ("x.php%00.csv", b"\0<?php", "text/csv", 415, "something else"),
    "no extension": ("README", b"text", "text/plain", 415, "extension ''"),
    "another type than its name": ("x.csv", CSV, "application/pdf", 415, "was sent as application/pdf"),
    "a type that runs": ("x.txt", CSV, "text/html", 415, "was sent as text/html"),
    "an archive as csv": ("x.csv", uploads.zipped({"a": b"b"}), "text/csv", 415, "something else"),
    "an archive as a workbook": ("x.xlsx", uploads.zipped({"../../etc/cron.d/x": b"b"}), "", 415, "no XLSX workbook"),
    "a bomb": ("x.xlsx", uploads.workbook_with("xl/media/a.xml", b"\0" * (64 << 20)), "", 415, "far more than"),
    "macros": ("x.xlsx", uploads.workbook_with("xl/vbaProject.bin", b"x"), "", 415, "holds macros"),
    "a cut workbook": ("x.xlsx", uploads.workbook()[:700], "", 415, "damaged"),
    "a false pdf": ("x.pdf", b"%PDF-1.7\n" + b"\xff" * 3000, "application/pdf", 415, "damaged"),
    "a picture of many pixels": ("x.png", deep_picture(), "image/png", 415, "more than 40,000,000 pixels"),
    "a cut picture": ("x.png", uploads.picture("png", (300, 300))[:100], "image/png", 415, "damaged"),
    "a picture of another kind": ("x.png", uploads.picture("gif"), "image/png", 415, "something else"),
    "an empty file": ("x.csv", b"", "text/csv", 415, "The file is empty."),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused_and_nothing_is_kept(ann: Person, settings: Any, name: str) -> None:
    called, content, media, status, told = HOSTILE[name]
    error = refusal(send(ann.api, called, content, media), status, "VAL_001")
    assert told in error["message"]
    assert nothing_is_kept(settings)


@pytest.mark.parametrize("given", PATHS)
def test_a_json_body_is_no_upload(ann: Person, settings: Any, given: Any) -> None:
    refusal(ann.api.post("/api/files", given), 415, "VAL_001")
    assert nothing_is_kept(settings)


BODIES = {
    "a field instead of a file": (body(part(b"/etc/passwd", 'name="file"')), 400),
    "a path as a field, and its name": (
        body(part(b"/etc/passwd", 'name="file"'), part(b"x.csv", 'name="file.name"')),
        400,
    ),
    "a file of another name": (body(part(CSV, 'name="document"; filename="x.csv"', "text/csv")), 400),
    "two files": (body(*[part(CSV, 'name="file"; filename="x.csv"', "text/csv")] * 2), 400),
    "a file too many": (
        body(part(CSV, 'name="file"; filename="x.csv"'), part(CSV, 'name="evil"; filename="y.csv"')),
        400,
    ),
    "files without end": (body(*[part(b"", f'name="f{n}"; filename="x.csv"') for n in range(200)]), 413),
    "fields without end": (body(*[part(b"", f'name="f{n}"') for n in range(2000)]), 413),
    "no parts": (body(), 400),
    "nothing": (b"", 400),
    "a body cut short": (file_body("x.csv", CSV)[:40], 400),
}


@pytest.mark.parametrize("name", BODIES)
def test_a_body_that_is_no_single_file_is_refused(ann: Person, settings: Any, name: str) -> None:
    raw, status = BODIES[name]
    refusal(ann.api.post("/api/files", raw=raw, media=MEDIA), status, "VAL_002" if status == 400 else "VAL_001")
    assert nothing_is_kept(settings)


TAKERS = {"/api/files", "/native/api/upload"}
ELSEWHERE = [each for each in routes() if each.method in ("POST", "PUT", "PATCH") and each.path not in TAKERS]


@pytest.mark.parametrize("route", ELSEWHERE, ids=str)
def test_a_file_is_taken_nowhere_else(ann: Person, settings: Any, route: Route) -> None:
    raw = file_body("x.csv", CSV, "text/csv")
    answer = ann.api.call(route.method, route.filled(ann.actor.user_id), raw=raw, media=MEDIA)
    assert 400 <= answer.status_code < 500 or route.takes_no_body
    assert answer.status_code < 500
    assert nothing_is_kept(settings)


@pytest.mark.parametrize(
    "media", ["multipart/form-data", f"multipart/form-data; boundary={'x' * 300}", "multipart/mixed"]
)
def test_a_body_without_a_boundary_is_refused(ann: Person, settings: Any, media: str) -> None:
    answer = ann.api.post("/api/files", raw=file_body("x.csv", CSV), media=media)
    assert answer.status_code in (400, 415)
    assert nothing_is_kept(settings)


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("../../etc/x.csv", "x.csv"),
        ("C:\\\\Users\\\\ann\\\\x.csv", "x.csv"),
        ("a\u202evsc.exe.csv", "avsc.exe.csv"),
        (".htaccess.csv", "htaccess.csv"),
        ("a" * 300 + ".csv", "a" * 196 + ".csv"),
        ("Gr\u00fc\u00dfe.csv", "Gr\u00fc\u00dfe.csv"),
    ],
)
def test_a_name_is_only_ever_shown(ann: Person, settings: Any, sent: str, kept: str) -> None:
    raw = file_body("PLACE", CSV, "text/csv").replace(b"PLACE", sent.encode())
    made = ann.api.post("/api/files", raw=raw, media=MEDIA).json()
    assert made["name"] == kept
    given = ann.api.get(f"/api/files/{made['id']}/content")
    assert given.getvalue() == CSV
    assert "\n" not in given.headers["Content-Disposition"]
    assert given.headers["Content-Disposition"].startswith("attachment; filename")
    stored = Artefact.unscoped.get(id=made["id"]).storage_key
    assert len(stored) == 32
    assert set(stored) <= set("0123456789abcdef")


def test_a_file_too_large_is_refused_by_its_header_and_as_it_comes(ann: Person, settings: Any) -> None:
    settings.ARTEFACTS = {**settings.ARTEFACTS, "max_upload_bytes": 1000}
    error = refusal(send(ann.api, "x.csv", b"a\n" * 600, "text/csv"), 413, "VAL_001")
    assert error["details"]["max_bytes"] == 1000
    refusal(send(ann.api, "x.csv", b"a\n" * 60_000, "text/csv"), 413, "VAL_001")
    assert nothing_is_kept(settings)
    assert send(ann.api, "x.csv", b"a\n" * 500, "text/csv").status_code == 201


def test_an_organization_has_so_much_room(ann: Person, otto: Person, settings: Any) -> None:
    settings.ARTEFACTS = {**settings.ARTEFACTS, "max_organization_bytes": 25}
    first = send(ann.api, "x.csv", CSV, "text/csv").json()
    error = refusal(send(ann.api, "x.csv", CSV, "text/csv"), 413, "VAL_001")
    assert error["details"] == {"used_bytes": 14, "max_bytes": 25}
    assert send(otto.api, "x.csv", CSV, "text/csv").status_code == 201
    assert ann.api.delete(f"/api/files/{first['id']}").status_code == 204
    assert send(ann.api, "x.csv", CSV, "text/csv").status_code == 201
    use = StorageUse.objects.of(ann.actor).get()
    assert (use.bytes, use.files) == (14, 1)


def test_reading_and_writing_need_their_permissions(ann: Person, viewer: Person, member: Person, anyone: Api) -> None:
    refusal(send(viewer.api, "x.csv", CSV, "text/csv"), 403, "AUTH_003")
    refusal(send(anyone, "x.csv", CSV, "text/csv"), 401, "AUTH_001")
    made = send(member.api, "x.csv", CSV, "text/csv").json()
    assert viewer.api.get(f"/api/files/{made['id']}/content").getvalue() == CSV
    refusal(viewer.api.delete(f"/api/files/{made['id']}"), 403, "AUTH_003")
    assert ann.api.delete(f"/api/files/{made['id']}").status_code == 204
    refusal(viewer.api.get(f"/api/files/{made['id']}"), 404, "RES_001")


def test_another_organizations_file_is_unknown(ann: Person, otto: Person) -> None:
    made = send(ann.api, "x.csv", CSV, "text/csv").json()
    for path in (f"/api/files/{made['id']}", f"/api/files/{made['id']}/content"):
        refusal(otto.api.get(path), 404, "RES_001")
    refusal(otto.api.delete(f"/api/files/{made['id']}"), 404, "RES_001")
    assert otto.api.get("/api/files").json()["files"] == []
    assert ann.api.get(f"/api/files/{made['id']}/content").getvalue() == CSV


def test_files_are_listed_newest_first(ann: Person) -> None:
    names = [f"{n}.csv" for n in range(3)]
    for name in names:
        send(ann.api, name, CSV, "text/csv")
    page = ann.api.get("/api/files?page_size=2&purpose=upload").json()
    assert ([each["name"] for each in page["files"]], page["total"]) == (["2.csv", "1.csv"], 3)
    assert ann.api.get("/api/files?purpose=step").json()["files"] == []
    refusal(ann.api.get("/api/files?purpose=payload"), 400, "VAL_001")


@pytest.mark.parametrize(
    ("asked", "status", "given", "told"),
    [
        ("bytes=0-3", 206, b"id,n", "bytes 0-3/14"),
        ("bytes=8-", 206, b"1,Ann\n", "bytes 8-13/14"),
        ("bytes=-4", 206, b"Ann\n", "bytes 10-13/14"),
        ("bytes=0-999", 206, CSV, "bytes 0-13/14"),
        ("bytes=14-", 416, b"", "bytes */14"),
        ("bytes=-0", 416, b"", "bytes */14"),
        ("bytes=5-2", 200, CSV, None),
        ("bytes=0-1,3-4", 200, CSV, None),
        ("lines=1-2", 200, CSV, None),
    ],
)
def test_parts_of_a_file(ann: Person, asked: str, status: int, given: bytes, told: str | None) -> None:
    made = send(ann.api, "x.csv", CSV, "text/csv").json()
    answer = ann.api.get(f"/api/files/{made['id']}/content", Range=asked)
    assert (answer.status_code, answer.headers.get("Content-Range")) == (status, told)
    assert (answer.getvalue() if answer.streaming else answer.content) == given


def test_who_has_a_file_already_does_not_get_it_again(ann: Person) -> None:
    made = send(ann.api, "x.csv", CSV, "text/csv").json()
    path, etag = f"/api/files/{made['id']}/content", f'"{made["sha256"]}"'
    answer = ann.api.get(path, If_None_Match=f'"other", {etag}')
    assert (answer.status_code, answer.content, answer.headers["ETag"]) == (304, b"", etag)
    assert ann.api.get(path, If_None_Match='"other"').status_code == 200
    assert ann.api.get(path, Range="bytes=0-3", If_Range='"other"').status_code == 200
    assert ann.api.get(path, Range="bytes=0-3", If_Range=etag).status_code == 206
