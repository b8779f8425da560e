"""Templates in the database: who sees which, instantiating one, and seeding the catalogue."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.db import IntegrityError, transaction
from template_running import graph

from auterity.kernel.access import Actor, Permission
from auterity.kernel.errors import InvalidInput, PermissionDenied
from auterity.kernel.tenancy import TenancyError
from templates_app.errors import TemplateInactive, TemplateNotFound
from templates_app.models import TemplateParameter, TemplateReview, WorkflowTemplate
from templates_app.selectors import get_template, list_templates
from templates_app.services import instantiate
from workflows.errors import DefinitionRefused
from workflows.models import Workflow, WorkflowVersion

pytestmark = pytest.mark.django_db
Make = Callable[..., WorkflowTemplate]

FOLLOW_UP = graph(
    {"id": "start", "type": "start", "title": "Start: {{customer_name}}"},
    {
        "id": "budget",
        "type": "decision-logic",
        "config": {"condition": "inputs.price <= budget_range"},
    },
    {
        "id": "mail",
        "type": "email",
        "config": {
            "to": "{{customer_email}}",
            "subject": "For {{customer_name}}",
            "text": "Hello {{ inputs.greeting }}",
        },
    },
    edges=[
        {"id": "e1", "source_node_id": "start", "target_node_id": "budget", "source_port": "", "target_port": ""},
        {"id": "e2", "source_node_id": "budget", "target_node_id": "mail", "source_port": "true", "target_port": ""},
    ],
)
PARAMETERS = [
    {"name": "customer_name", "type": "string", "label": "Customer", "required": True},
    {"name": "customer_email", "type": "email", "label": "E-mail", "required": True},
    {"name": "budget_range", "type": "number", "label": "Budget", "default_value": 20000},
]
VALUES = {"customer_name": "John Doe", "customer_email": "john@example.com", "budget_range": 35000}


# Who sees what


def _names(actor: Actor, **filters: Any) -> list[str]:
    return [template.name for template in list_templates(actor=actor, **filters)]


@pytest.fixture
def shelf(actor: Actor, stranger: Actor, make_template: Make) -> None:
    make_template(None, name="Built in", category="sales", slug="built-in")
    make_template(None, name="Retired", slug="retired", is_active=False)
    make_template(actor, name="Own", category="service", description="For TIRES")
    make_template(actor, name="Own draft", is_active=False)
    make_template(actor, name="Own shared", is_public=True)
    make_template(stranger, name="Theirs")
    make_template(stranger, name="Theirs shared", is_public=True)
    make_template(stranger, name="Theirs shared draft", is_public=True, is_active=False)


@pytest.mark.usefixtures("shelf")
def test_an_organization_sees_its_own_templates_and_active_public_ones(actor: Actor) -> None:
    assert _names(actor) == ["Built in", "Own", "Own draft", "Own shared", "Theirs shared"]
    assert _names(actor, public_only=True) == ["Built in", "Own shared", "Theirs shared"]


@pytest.mark.usefixtures("shelf")
def test_templates_are_found_by_category_and_text(actor: Actor) -> None:
    assert _names(actor, category="sales") == ["Built in"]
    assert _names(actor, search="tires") == ["Own"]
    assert _names(actor, search="own s") == ["Own shared"]
    assert _names(actor, search="nothing like it") == []


def test_what_an_organization_may_not_see_is_not_found(actor: Actor, stranger: Actor, make_template: Make) -> None:
    theirs = make_template(stranger)
    assert get_template(actor=stranger, template_id=theirs.id) == theirs
    for template_id in (theirs.id, uuid4()):
        with pytest.raises(TemplateNotFound):
            get_template(actor=actor, template_id=template_id)
        with pytest.raises(TemplateNotFound):
            instantiate(actor=actor, template_id=template_id, values={})
    assert Workflow.unscoped.count() == 0


def test_a_page_costs_two_queries_and_counts_parameters(
    actor: Actor, make_template: Make, django_assert_num_queries: Any
) -> None:
    make_template(actor, name="A", parameters=PARAMETERS)
    make_template(actor, name="B")
    with django_assert_num_queries(2):
        found = list_templates(actor=actor)
        assert (found.count(), [(each.name, each.parameter_count) for each in found[:10]]) == (2, [("A", 3), ("B", 0)])


def test_one_template_costs_two_queries_and_knows_its_rating(
    actor: Actor, stranger: Actor, make_template: Make, django_assert_num_queries: Any
) -> None:
    made = make_template(None, FOLLOW_UP, PARAMETERS)
    for person, rating in ((actor, 5), (stranger, 2)):
        TemplateReview.unscoped.create(template=made, user_id=person.user_id, rating=rating)
    with django_assert_num_queries(2):
        template = get_template(actor=actor, template_id=made.id)
        assert [each.name for each in template.parameters.all()] == ["customer_name", "customer_email", "budget_range"]
        assert (template.definition, template.rating, template.parameter_count) == (FOLLOW_UP, 3.5, 3)


def test_a_template_nobody_reviewed_has_no_rating(actor: Actor, make_template: Make) -> None:
    assert get_template(actor=actor, template_id=make_template(actor).id).rating is None


def test_reading_needs_the_permission(actor: Actor) -> None:
    nobody = Actor(actor.user_id, actor.organization_id, actor.role, frozenset())
    with pytest.raises(PermissionDenied):
        list_templates(actor=nobody)
    with pytest.raises(PermissionDenied):
        get_template(actor=nobody, template_id=uuid4())


@pytest.mark.parametrize("model", [WorkflowTemplate, TemplateParameter, TemplateReview])
def test_a_query_that_names_no_tenant_is_a_defect(model: Any) -> None:
    for ask in (model.objects.all, model.objects.count, lambda: model.objects.filter(pk=uuid4())):
        with pytest.raises(TenancyError):
            ask()


def test_parameters_and_reviews_are_seen_with_their_template(
    actor: Actor, stranger: Actor, make_template: Make
) -> None:
    made = make_template(stranger, parameters=PARAMETERS)
    TemplateReview.unscoped.create(template=made, user_id=stranger.user_id, rating=5)
    for model, count in ((TemplateParameter, 3), (TemplateReview, 1)):
        assert (model.objects.visible_to(stranger).count(), model.objects.visible_to(actor).count()) == (count, 0)


@pytest.mark.parametrize("rating", [0, 6])
def test_a_rating_is_one_to_five(actor: Actor, make_template: Make, rating: int) -> None:
    made = make_template(None)
    with pytest.raises(IntegrityError), transaction.atomic():
        TemplateReview.unscoped.create(template=made, user_id=actor.user_id, rating=rating)


# Instantiating


def test_a_workflow_is_made_with_the_values_filled_in(actor: Actor, make_template: Make) -> None:
    made = make_template(None, FOLLOW_UP, PARAMETERS, category="sales")
    workflow = instantiate(
        actor=actor, template_id=made.id, values=VALUES, name="Customer ABC Follow-up", description="For ABC"
    )
    assert (workflow.name, workflow.description, workflow.category) == ("Customer ABC Follow-up", "For ABC", "sales")
    assert (workflow.template_id, workflow.organization_id) == (made.id, actor.organization_id)
    assert workflow.created_by_id == actor.user_id
    start, budget, mail = WorkflowVersion.unscoped.get(workflow=workflow).definition["nodes"]
    assert start["title"] == "Start: John Doe"
    assert budget["config"] == {"condition": "inputs.price <= 35000"}
    assert mail["config"] == {
        "to": "john@example.com",
        "subject": "For John Doe",
        "text": "Hello {{ inputs.greeting }}",
    }
    made.refresh_from_db()
    assert (made.usage_count, made.definition) == (1, FOLLOW_UP)


def test_name_description_and_values_default_to_the_templates(actor: Actor, make_template: Make) -> None:
    made = make_template(actor, FOLLOW_UP, PARAMETERS, name="Follow up", description="Kindly")
    values = {name: VALUES[name] for name in ("customer_name", "customer_email")}
    workflow = instantiate(actor=actor, template_id=made.id, values=values)
    assert (workflow.name, workflow.description) == ("Follow up", "Kindly")
    nodes = WorkflowVersion.unscoped.get(workflow=workflow).definition["nodes"]
    assert nodes[1]["config"]["condition"] == "inputs.price <= 20000"


@pytest.mark.parametrize(
    ("values", "problems"),
    [
        ({"customer_name": "John"}, [("parameters.customer_email", "required")]),
        ({**VALUES, "customer_email": "no"}, [("parameters.customer_email", "invalid")]),
        (
            {**VALUES, "budget_range": "lots", "x": 1},
            [("parameters.x", "invalid"), ("parameters.budget_range", "invalid")],
        ),
    ],
)
def test_wrong_values_make_nothing(
    actor: Actor, make_template: Make, values: dict[str, Any], problems: list[tuple[str, str]]
) -> None:
    made = make_template(None, FOLLOW_UP, PARAMETERS)
    with pytest.raises(InvalidInput) as refusal:
        instantiate(actor=actor, template_id=made.id, values=values)
    assert [(each.field, each.code) for each in refusal.value.problems] == problems
    made.refresh_from_db()
    assert (made.usage_count, Workflow.unscoped.count()) == (0, 0)


def test_a_template_that_cannot_run_makes_nothing(actor: Actor, make_template: Make) -> None:
    broken = graph({"id": "mail", "type": "email", "config": {"to": "{{ broken", "subject": "s", "text": "t"}})
    made = make_template(actor, broken)
    with pytest.raises(DefinitionRefused):
        instantiate(actor=actor, template_id=made.id, values={})
    made.refresh_from_db()
    assert (made.usage_count, Workflow.unscoped.count()) == (0, 0)


def test_an_inactive_template_of_ones_own_makes_nothing(actor: Actor, make_template: Make) -> None:
    with pytest.raises(TemplateInactive):
        instantiate(actor=actor, template_id=make_template(actor, is_active=False).id, values={})


def test_making_a_workflow_needs_the_permission_for_it(viewer: Actor, make_template: Make) -> None:
    made = make_template(None)
    with pytest.raises(PermissionDenied) as refusal:
        instantiate(actor=viewer, template_id=made.id, values={})
    assert refusal.value.details == {"required": Permission.WORKFLOW_CREATE.value}
    assert Workflow.unscoped.count() == 0


def test_a_workflow_stays_in_the_organization_that_made_it(actor: Actor, stranger: Actor, make_template: Make) -> None:
    made = make_template(None)
    workflow = instantiate(actor=actor, template_id=made.id, values={})
    assert Workflow.objects.of(actor).get() == workflow
    assert Workflow.objects.of(stranger).count() == 0
