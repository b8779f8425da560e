"""An organization that owns one of everything, each with a marker in it: what the gates about access try to get at."""

from __future__ import annotations

import datetime as dt
import hashlib
import secrets
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from tests.load.belongings import furnish

if TYPE_CHECKING:
    from tests.api.people import Api, Person

PASSWORD = "correct horse 9"

OF_PEOPLE = ("id", "user")
MEMBERS = "/api/organizations/current"
CHAIN = {
    "definition": {
        "nodes": [
            {"id": "start", "type": "start"},
            {"id": "a", "type": "data-transformation", "config": {"set": {"x": 1}}},
        ],
        "edges": [{"id": "e1", "source": "start", "target": "a"}],
    }
}


@dataclass
class Estate:
    """`ids` are by the name of the path's slot, such as `workflow_id`."""

    owner: Person
    marker: str
    ids: dict[str, str] = field(default_factory=dict)
    people: dict[str, Person] = field(default_factory=dict)  # by role

    @property
    def organization_id(self) -> Any:
        return self.owner.actor.organization_id

    def id_for(self, slot: str) -> str:
        """For a name nobody has an object for yet, the id of one that there is: no address may take it either."""
        return self.ids.get(slot) or self.ids["workflow_id"]


def estate(name: str, *, roles: bool = False) -> Estate:
    """`roles`: with somebody of each built-in role."""
    from auterity.kernel.access import Role
    from tests.api.people import colleague, founder

    marker = f"zebra-{secrets.token_hex(6)}"
    owner = founder(f"{name}-{marker}@example.com", f"{marker} Motors")
    made = Estate(owner, marker)
    made.people[Role.ADMIN.value] = owner
    for role in (Role.VIEWER, Role.MEMBER, Role.MANAGER):
        if roles or role is Role.VIEWER:
            made.people[role.value] = colleague(owner, f"{name}-{role.value}-{marker}@example.com", role)
    ids = made.ids
    ids["user_id"] = str(made.people["viewer"].actor.user_id)
    ids["organization_id"] = str(made.organization_id)
    ids["session_id"] = str(owner.actor.session_id)
    _through_the_api(made, owner.api)
    _under_the_counter(made)
    furnish(made)
    return made


def _through_the_api(made: Estate, api: Api) -> None:
    ids, marker = made.ids, made.marker
    workflow = api.made(
        "/api/workflows", {**CHAIN, "name": f"{marker} workflow", "description": marker, "category": marker}
    )
    ids["workflow_id"] = workflow["id"]
    ids["number"] = ids["other"] = "1"
    ids["node_id"] = "a"
    path = f"/api/workflows/{ids['workflow_id']}"
    ids["execution_id"] = api.made(f"{path}/execute", {"inputs": {"note": marker}})["execution_id"]
    comment = api.made(f"{path}/comments", {"body": marker})
    ids["comment_id"] = ids["parent_id"] = comment["id"]
    case = {"name": marker, "input_data": {"note": marker}, "assertions": ["output.x == 1"]}
    ids["case_id"] = api.made(f"{path}/tests", case)["id"]
    template = api.made(f"{path}/save-as-template", {"name": f"{marker} template", "category": marker})
    ids["template_id"] = template["id"]
    api.made(f"/api/templates/{ids['template_id']}/reviews", {"rating": 5, "comment": marker})
    connection = {
        "name": f"{marker} connection",
        "type": "custom_model",
        "config": {"endpoint_url": f"https://{marker}.example.com/score"},
        "credentials": {"api_key": f"{marker}-secret"},
    }
    ids["connection_id"] = api.made("/api/integrations/connections", connection)["id"]
    dms = {
        "provider": "Custom",
        "configuration": {
            "base_url": f"https://{marker}.example.com",
            "api_version": "v1",
            "timeout_ms": 5000,
            "retry_attempts": 2,
            "rate_limit": {"requests_per_minute": 60, "burst_size": 10},
        },
        "authentication": {"type": "api_key", "credentials": {"api_key": f"{marker}-secret"}},
        "endpoints": dict.fromkeys(
            ("customers", "vehicles", "service_appointments", "sales_opportunities", "inventory"), "x"
        ),
    }
    ids["integration_id"] = api.made("/api/integrations/dms", dms)["id"]
    mail = {
        "provider": "console",
        "to": [f"{marker}@example.com"],
        "from": "a@example.com",
        "subject": marker,
        "content": {"text": marker},
    }
    ids["message_id"] = api.made("/api/communications/email", mail)["message_id"]
    model = {
        "model_id": f"{marker}-scorer",
        "version": "1",
        "endpoint_url": f"https://{marker}.example.com",
        "description": marker,
    }
    api.made("/api/ai/custom-models", model)
    ids["model_id"], ids["version"] = f"{marker}-scorer", "1"
    invited = api.made(f"{MEMBERS}/invitations", {"email": f"invited-{marker}@example.com"})
    ids["invitation_id"] = invited["id"]
    role = api.made("/api/organization/roles", {"name": marker, "permissions": ["workflow:read"]})
    ids["role_id"] = role["id"]
    ids["account_id"] = api.made("/api/organization/service-accounts", {"name": marker})["id"]
    ids["key_id"] = api.made("/api/organization/api-keys", {"name": marker, "scopes": ["workflow:read"]})["id"]
    incident = {"title": marker, "description": marker, "category": "phishing", "severity": "medium"}
    reported = api.made("/api/v1/security-metrics/incidents", incident)
    ids["incident_id"] = str(reported["data"].get("id") or reported["data"]["incident"]["id"])
    boundary = "estate"
    part = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{marker}.csv"\r\n'
        f"Content-Type: text/csv\r\n\r\nnote\n{marker}\n\r\n--{boundary}--\r\n"
    )
    media = f"multipart/form-data; boundary={boundary}"
    ids["file_id"] = api.made("/api/files", raw=part.encode(), media=media)["id"]


def _under_the_counter(made: Estate) -> None:
    """What only workers and the product itself write."""
    from devices.models import Device
    from executions.models import Execution, ExecutionLog, ExecutionStep, OpenQuestion
    from integrations.models import DmsSync
    from templates_app.models import TemplateReview

    ids, marker = made.ids, made.marker
    now = dt.datetime.now(dt.UTC)
    # It stays as it is, also where a worker runs.
    Execution.unscoped.filter(pk=ids["execution_id"]).update(due_at=None)
    device = Device.objects.create(
        user_id=made.owner.actor.user_id, name=marker, platform="linux", algorithm="Ed25519", public_key=bytes(32),
        key_id=marker,
    )  # fmt: skip
    ids["device_id"] = str(device.pk)
    about = {"execution_id": ids["execution_id"], "organization_id": made.organization_id}
    log = ExecutionLog.unscoped.create(
        **about, workflow_id=ids["workflow_id"], seq=1000, kind="note", message=marker, status="running", progress=0
    )
    ids["log_id"] = str(log.pk)
    step = ExecutionStep.objects.create(
        execution_id=ids["execution_id"], node_id="a", node_name=marker, node_type="email-sender", status="running",
        started_at=now, effect="unknown", input_data={"note": marker},
    )  # fmt: skip
    ids["effect_id"] = str(step.pk)
    question = OpenQuestion.unscoped.create(
        **about, workflow_id=ids["workflow_id"], node_id="ask", reason="approval", title=marker, message=marker,
        roles=["viewer"],
    )  # fmt: skip
    ids["question_id"] = str(question.pk)
    sync = DmsSync.unscoped.create(
        organization_id=made.organization_id, integration_id=ids["integration_id"], entities=["customers"],
        due_at=now + dt.timedelta(days=1),
    )  # fmt: skip
    ids["sync_id"] = str(sync.pk)
    review = TemplateReview._base_manager.filter(template_id=ids["template_id"]).get()
    ids["review_id"] = str(review.pk)


def rows_of(organization_id: Any) -> dict[str, str]:
    """A digest of every row that belongs to an organization, by model: of its own tables, of those that hang on them, and of
    its people's."""
    from accounts.models import Membership

    people = list(Membership.objects.filter(organization_id=organization_id).values_list("user_id", flat=True))
    found: dict[str, str] = {}
    for model, name in watched():
        wanted = {f"{name}__in": people} if name in OF_PEOPLE else {name: organization_id}
        rows = list(model._base_manager.filter(**wanted).order_by("pk").values())
        found[model._meta.label] = hashlib.sha256(repr(rows).encode()).hexdigest() if rows else ""
    return found


@cache
def watched() -> tuple[tuple[Any, str], ...]:
    """Every model with a way to an organization or a person, and that way."""
    from django.apps import apps

    from accounts.models import Session

    # Asking notes in the session when somebody was last seen.
    ways = [(each, _way(each)) for each in apps.get_models() if each is not Session]
    return tuple((model, way) for model, way in ways if way)


def _way(model: Any) -> str:
    from django.db import models

    from accounts.models import Organization, User

    if model is Organization or model is User:
        return "pk" if model is Organization else "id"
    keys = {
        each.name: each.related_model
        for each in model._meta.get_fields()
        if isinstance(each, models.ForeignKey | models.OneToOneField)
    }
    direct = [name for name, target in keys.items() if target is Organization]
    if direct:
        return "organization" if "organization" in direct else direct[0]
    if keys.get("user") is User:
        return "user"
    return next((f"{name}__organization_id" for name, target in keys.items() if _names_organization(target)), "")


def _names_organization(model: Any) -> bool:
    return any(each.name == "organization" for each in model._meta.get_fields())
