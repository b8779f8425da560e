"""How long an organization's records are kept, over HTTP; and a workflow that reads an uploaded file and writes another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from artefacts.models import RetentionRules
from tests.api.people import Person, refusal
from tests.artefacts.uploads import send

pytestmark = pytest.mark.django_db(transaction=True)
PATH = "/api/organization/retention"


def test_the_rules_are_read_and_set(ann: Person, otto: Person, viewer: Person) -> None:
    assert viewer.api.get(PATH).json() == {"execution_days": 90, "receipt_days": 30, "upload_days": None}
    rules = {"execution_days": 14, "receipt_days": 7, "upload_days": 365}
    answer = ann.api.put(PATH, rules)
    assert (answer.status_code, answer.json()) == (200, rules)
    assert viewer.api.get(PATH).json() == rules
    assert otto.api.get(PATH).json()["execution_days"] == 90
    assert ann.api.put(PATH, {"execution_days": 14, "receipt_days": 7}).json()["upload_days"] is None


def test_only_who_manages_the_organization_sets_them(ann: Person, member: Person) -> None:
    refusal(member.api.put(PATH, {"execution_days": 1, "receipt_days": 1}), 403, "AUTH_003")
    assert RetentionRules.objects.of(ann.actor).count() == 0


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"execution_days": 0}, "VAL_001"),
        ({"receipt_days": 3651}, "VAL_001"),
        ({"upload_days": 0}, "VAL_001"),
        ({"execution_days": "many"}, "VAL_001"),
    ],
)
def test_rules_out_of_bounds_are_refused(ann: Person, wrong: dict[str, Any], code: str) -> None:
    error = refusal(ann.api.put(PATH, {"execution_days": 1, "receipt_days": 1, **wrong}), 400, code)
    assert error["details"]["field"] == next(iter(wrong))
    assert RetentionRules.objects.of(ann.actor).count() == 0


DEFINITION = {
    "nodes": [
        {"id": "start", "type": "start", "title": "Start", "config": {}},
        {"id": "read", "type": "file-processor", "title": "Read", "config": {"file": "{{ inputs.file }}"}},
        {
            "id": "write",
            "type": "file-processor",
            "title": "Write",
            "config": {
                "operation": "write",
                "format": "xlsx",
                "content": "{{ steps.read.items }}",
                "file_name": "customers.xlsx",
            },
        },
    ],
    "edges": [
        {"id": "e1", "source_node_id": "start", "target_node_id": "read"},
        {"id": "e2", "source_node_id": "read", "target_node_id": "write"},
    ],
}


def test_a_workflow_reads_an_uploaded_file_and_writes_another(
    ann: Person, worker: None, ended: Callable[..., dict[str, Any]]
) -> None:
    file = send(ann.api, "customers.csv", b"id,name\n1,Ann\n", "text/csv").json()
    workflow = ann.api.made("/api/workflows", {"name": "Files", "definition": DEFINITION})
    started = ann.api.made(f"/api/workflows/{workflow['id']}/execute", {"inputs": {"file": file["id"]}})
    run = ended(ann.api, started["execution_id"])
    assert run["status"] == "completed", run
    read = next(each["output"] for each in run["steps"] if each["node_id"] == "read")
    assert (read["items"], read["format"]) == ([{"id": "1", "name": "Ann"}], "csv")
    (made,) = ann.api.get(f"/api/files?execution_id={run['id']}").json()["files"]
    assert (made["id"], made["name"], made["purpose"]) == (run["output_data"]["artefact"], "customers.xlsx", "step")
    assert ann.api.get(f"/api/files/{made['id']}/content").getvalue().startswith(b"PK\x03\x04")


def test_a_file_of_another_organization_fails_the_step(
    ann: Person, otto: Person, worker: None, ended: Callable[..., dict[str, Any]]
) -> None:
    file = send(otto.api, "customers.csv", b"id\n1\n", "text/csv").json()
    workflow = ann.api.made("/api/workflows", {"name": "Files", "definition": DEFINITION})
    started = ann.api.made(f"/api/workflows/{workflow['id']}/execute", {"inputs": {"file": file["id"]}})
    run = ended(ann.api, started["execution_id"])
    assert run["status"] == "failed"
    assert f"There is no file of the id '{file['id']}'" in run["error_message"]
    assert ann.api.get("/api/files").json()["total"] == 0
