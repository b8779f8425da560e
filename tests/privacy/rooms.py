"""An organization that was lived in: made over HTTP, as people do."""

from __future__ import annotations

import datetime as dt
import io
import zipfile
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson
from django.utils import timezone

from accounts.models import Invitation
from auterity.kernel.access import Role
from executions.models import Execution, OpenQuestion
from privacy import jobs
from privacy.inventory import TABLES, children_first
from privacy.rows import of_organization
from tests.api.graphs import chain
from tests.api.people import Person, colleague
from tests.artefacts.uploads import send
from tests.executions.support import flow

HOOK = "hook-secret-marker-61"
TOKEN = "crm-token-marker-62"
TEXT = b"a,b\n1,customer-marker-63\n"


@dataclass
class Room:
    ann: Person
    bob: Person
    otto: Person
    workflow: str
    file: str
    template: str

    @property
    def id(self) -> UUID:
        return self.ann.actor.organization_id


def furnished(ann: Person, otto: Person) -> Room:
    bob = colleague(ann, "bob@example.com", Role.MEMBER)
    drawn = flow({"hook": ("webhook-trigger", {"secret": HOOK, "authentication": "token"}), "end": "start"})
    workflow = ann.api.made("/api/workflows", {"name": "Hooked", "definition": drawn})["id"]
    run = bob.api.made("/api/workflows", chain("a"))["id"]
    bob.api.made(f"/api/workflows/{run}/execute", {"inputs": {"a": 1}})
    bob.api.made(f"/api/workflows/{workflow}/comments", {"body": "A comment of Bob's"})
    ann.api.made(
        "/api/integrations/connections",
        {
            "name": "CRM",
            "type": "custom_rest",
            "config": {"base_url": "https://crm.example.com/v1"},
            "credentials": {"token": TOKEN},
        },
    )
    file = send(bob.api, "customers.csv", TEXT, "text/csv").json()["id"]
    template = ann.api.made(f"/api/workflows/{workflow}/save-as-template", {"name": "A template", "is_public": True})[
        "id"
    ]
    otto.api.made(f"/api/templates/{template}/reviews", {"rating": 4})
    ann.api.made("/api/organizations/current/invitations", {"email": "carl@example.com", "role": "member"})
    execution = Execution.objects.of(ann.actor).get()
    OpenQuestion.objects.of(ann.actor).bulk_create(
        [
            OpenQuestion(
                organization_id=ann.actor.organization_id,
                execution=execution,
                workflow_id=execution.workflow_id,
                node_id="ask",
                reason="approval",
                people=["bob@example.com", "ann@example.com"],
            )
        ]
    )
    return Room(ann, bob, otto, workflow, file, template)


def made(person: Person, what: str) -> tuple[dict[str, Any], zipfile.ZipFile]:
    """Ask for an export (`account` or `organization`), let it be made, and fetch it by its link."""
    person.api.made(f"/api/{what}/export")
    jobs.run_due()
    about = person.api.get(f"/api/{what}/export").json()
    answer = person.api.get(about["download_url"])
    assert answer.status_code == 200, answer.content
    return about, zipfile.ZipFile(io.BytesIO(b"".join(answer.streaming_content)))


def lines(archive: zipfile.ZipFile, table: str) -> list[dict[str, Any]]:
    return [orjson.loads(each) for each in archive.read(f"{table}.ndjson").splitlines()]


def rows_of(organization_id: UUID) -> dict[str, int]:
    """How many rows an organization has, by table; those without any left out."""
    counts = {each.label: of_organization(each, organization_id).count() for each in children_first()}
    return {label: count for label, count in counts.items() if count}


def everything_stored() -> str:
    """Every row of every table, as text."""
    return repr([list(each.model._base_manager.values_list()) for each in TABLES])


def finished(subject_id: UUID) -> Any:
    """The erasure of somebody, done to its end."""
    from privacy.models import Erasure

    moment = timezone.now()
    for _ in range(5):
        row = Erasure.objects.get(subject_id=subject_id, cancelled_at=None)
        if row.finished_at is not None:
            return row
        jobs.run_due(now=max(moment, row.due_at or moment))
        moment += dt.timedelta(minutes=11)
    raise AssertionError(f"not finished: {row.counts}")


def invitation_of(room: Room) -> Invitation:
    return Invitation.objects.of(room.id).get()
