"""People of two organizations, and templates to try."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from template_running import graph

from accounts import services
from accounts.models import Membership
from auterity.kernel.access import ROLE_PERMISSIONS, Actor, Role
from templates_app.models import TemplateParameter, WorkflowTemplate


def _person(email: str, role: Role = Role.ADMIN) -> Actor:
    made = services.register(email=email, password="correct horse 9", first_name="A", last_name="B", company="Dealer")
    return Actor(made.user.id, made.organization.id, role, ROLE_PERMISSIONS[role], email)


@pytest.fixture
def actor(db: None) -> Actor:
    return _person("ann@example.com")


@pytest.fixture
def stranger(db: None) -> Actor:
    """The admin of another organization."""
    return _person("zoe@other.example")


@pytest.fixture
def viewer(actor: Actor) -> Actor:
    """Somebody of the actor's organization who may only look."""
    Membership.objects.filter(user_id=actor.user_id).update(role=Role.VIEWER.value)
    return Actor(actor.user_id, actor.organization_id, Role.VIEWER, ROLE_PERMISSIONS[Role.VIEWER], actor.email)


@pytest.fixture
def make_template() -> Callable[..., WorkflowTemplate]:
    """Store a template with its parameters; `parameters` are dictionaries of their fields."""

    def make(
        owner: Actor | None,
        definition: Mapping[str, Any] | None = None,
        parameters: list[dict[str, Any]] | None = None,
        **fields: Any,
    ) -> WorkflowTemplate:
        template: WorkflowTemplate = WorkflowTemplate.unscoped.create(
            organization_id=owner and owner.organization_id,
            created_by_id=owner and owner.user_id,
            definition=definition or graph({"id": "start", "type": "start"}),
            **{"name": "A template", "is_public": owner is None, **fields},
        )
        TemplateParameter.unscoped.bulk_create(
            TemplateParameter(template=template, position=at, **each) for at, each in enumerate(parameters or [])
        )
        return template

    return make
