"""An operator, people who are none, a workflow with executions in every state, and one row of any table."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.db import models
from django.test import Client
from django.utils import timezone

from accounts.models import Organization, User
from auterity.kernel.access import Actor
from auterity.kernel.models import JsonText, uuid7
from executions import services as executions
from executions.models import LIVE, Execution, ExecutionStatus, WorkflowFigures
from workflows import services as workflows
from workflows.models import Workflow, WorkflowVersion

DEFINITION: dict[str, Any] = {
    "nodes": [
        {"id": "start", "type": "start", "title": "Begin", "config": {}},
        {
            "id": "ask",
            "type": "api-integration",
            "title": "Ask the CRM",
            "config": {"url": "https://crm.example.com", "method": "GET"},
        },
    ],
    "edges": [
        {
            "id": "e1",
            "source_node_id": "start",
            "source_port": "",
            "target_node_id": "ask",
            "target_port": "",
            "type": "data",
        }
    ],
    "variables": [],
    "triggers": [],
    "settings": {},
}


@pytest.fixture
def root(db: None) -> User:
    return User.objects.create_superuser("root@example.com", "pw", first_name="Ro", last_name="Ot")


@pytest.fixture
def operator(root: User) -> Client:
    client = Client()
    client.force_login(root)
    return client


@pytest.fixture
def stranger(db: None) -> Client:
    """Somebody with an account, who is no operator."""
    client = Client()
    client.force_login(User.objects.create_user("bob@example.com", "pw", first_name="Bob", last_name="Berg"))
    return client


@pytest.fixture
def organization(db: None) -> Organization:
    return Organization.objects.create(name="AutoDealer Inc.")


@pytest.fixture
def acting(root: User, organization: Organization) -> Actor:
    return executions.operator(user=root, organization_id=organization.id)


@pytest.fixture
def workflow(acting: Actor) -> Workflow:
    return workflows.create_workflow(actor=acting, name="Lead <b>qualification</b>", definition=DEFINITION)


@pytest.fixture
def execution(acting: Actor, workflow: Workflow) -> Execution:
    """Accepted a moment ago, and due."""
    return executions.start(actor=acting, workflow_id=workflow.id, inputs={"lead": "Ann"})


@pytest.fixture
def in_state(workflow: Workflow) -> Callable[..., Execution]:
    """Store an execution in some state, and count it where an ended one is counted."""

    def in_state(status: str, **more: Any) -> Execution:
        now = timezone.now()
        live = status in LIVE
        values = {
            "organization_id": workflow.organization_id,
            "workflow": workflow,
            "version": WorkflowVersion.unscoped.get(workflow=workflow),
            "status": status,
            "input_data": {},
            "started_at": None if status == ExecutionStatus.PENDING else now - dt.timedelta(seconds=60),
            "completed_at": None if live else now,
            "deadline_at": now + dt.timedelta(hours=1),
            "due_at": now if live else None,
            **more,
        }
        row = Execution(**values)
        row.save(force_insert=True)
        if not live:
            figures, _ = WorkflowFigures.objects.get_or_create(workflow=values["workflow"])
            setattr(figures, status, getattr(figures, status) + 1)
            figures.save()
        return row

    return in_state


@pytest.fixture
def row_of(db: None) -> Callable[[type[models.Model]], models.Model]:
    """One stored row of any model, with just what its columns demand; rows it refers to are made alike, once."""
    made: dict[type[models.Model], models.Model] = {}
    beyond_columns = {"templates_app.workflowtemplate": {"is_public": True}}  # What a constraint demands.

    def row_of(model: type[models.Model]) -> models.Model:
        if model not in made:
            values = {f.name: value_of(f) for f in model._meta.concrete_fields if demanded(f)}
            row = model(**values, **beyond_columns.get(model._meta.label_lower, {}))
            row.save(force_insert=True)
            made[model] = row
        return made[model]

    def demanded(field: Any) -> bool:
        if isinstance(field, models.ForeignKey) and field.null:
            return False
        return not (field.null or field.has_default() or field.has_db_default() or isinstance(field, models.AutoField))

    def value_of(field: Any) -> Any:
        if isinstance(field, models.ForeignKey):
            return row_of(field.remote_field.model)
        if isinstance(field, JsonText):
            return {"nodes": [{"id": "a", "type": "start"}], "edges": []}
        if field.choices:
            return field.choices[0][0]
        if isinstance(field, models.EmailField):
            return f"{field.model.__name__.lower()}@example.com"
        if isinstance(field, models.DateTimeField):
            return timezone.now()
        if isinstance(field, models.DateField):
            return timezone.now().date()
        if isinstance(field, models.UUIDField):
            return uuid7()
        if isinstance(field, models.BooleanField):
            return False
        if isinstance(field, models.BinaryField):
            return b"\x00\xff"
        return (
            field.to_python("1")
            if not isinstance(field, models.CharField | models.TextField)
            else field.name[: field.max_length]
        )

    return row_of
