"""Seeding the catalogue into the database, and instantiating each of its templates there."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction
from template_running import CATALOGUE

from auterity.kernel.access import Actor
from templates_app.models import TemplateParameter, WorkflowTemplate
from templates_app.seeding import seed_catalogue
from templates_app.selectors import list_templates
from templates_app.services import instantiate

pytestmark = pytest.mark.django_db
Make = Callable[..., WorkflowTemplate]


def test_seeding_creates_the_catalogue_and_a_second_time_changes_nothing(actor: Actor) -> None:
    first, second = seed_catalogue(), seed_catalogue()
    assert (sorted(first.created), first.updated, first.retired) == (sorted(CATALOGUE), (), ())
    assert (second.created, second.updated, second.retired, list(second.unchanged)) == ((), (), (), sorted(CATALOGUE))
    templates = list(list_templates(actor=actor))
    assert len(templates) == 12
    assert {(each.version, each.is_public, each.organization_id, each.created_by_id) for each in templates} == {
        (1, True, None, None)
    }


@pytest.mark.parametrize("slug", CATALOGUE)
def test_every_template_of_the_catalogue_becomes_an_active_workflow(actor: Actor, slug: str) -> None:
    seed_catalogue([CATALOGUE[slug]])
    template = WorkflowTemplate.unscoped.get(slug=slug)
    workflow = instantiate(actor=actor, template_id=template.id, values=CATALOGUE[slug].example_parameters)
    assert (workflow.is_active, workflow.name) == (True, CATALOGUE[slug].name)


def test_a_changed_file_raises_the_version_and_keeps_what_was_counted() -> None:
    entry = CATALOGUE["service-reminder"]
    seed_catalogue([entry])
    before = WorkflowTemplate.unscoped.get()
    WorkflowTemplate.unscoped.update(usage_count=7)
    changed = entry.model_copy(update={"name": "Service note", "parameters": entry.parameters[:1]})
    assert seed_catalogue([changed]).updated == ("service-reminder",)
    after = WorkflowTemplate.unscoped.get()
    assert (after.id, after.version, after.name, after.usage_count) == (before.id, 2, "Service note", 7)
    assert [each.name for each in after.parameters.all()] == ["dealership_name"]
    assert seed_catalogue([changed]).updated == ()


def test_a_template_that_left_the_catalogue_is_switched_off_and_one_that_comes_back_is_new() -> None:
    entry = CATALOGUE["service-reminder"]
    seed_catalogue([entry])
    assert (seed_catalogue([]).retired, seed_catalogue([]).retired) == (("service-reminder",), ())
    left = WorkflowTemplate.unscoped.get()
    assert (left.is_active, left.slug) == (False, None)
    assert seed_catalogue([entry]).created == ("service-reminder",)
    assert WorkflowTemplate.unscoped.get(slug="service-reminder").is_active is True


def test_what_an_operator_switched_off_stays_off() -> None:
    entry = CATALOGUE["service-reminder"]
    seed_catalogue([entry])
    WorkflowTemplate.unscoped.update(is_active=False)
    seed_catalogue([entry.model_copy(update={"name": "Service note"})])
    assert WorkflowTemplate.unscoped.get().is_active is False


def test_seeding_never_touches_an_organizations_own(actor: Actor, make_template: Make) -> None:
    own = make_template(actor, name=CATALOGUE["service-reminder"].name, is_public=True)
    seed_catalogue()
    seed_catalogue([])
    stored = WorkflowTemplate.unscoped.get(id=own.id)
    assert (stored.version, stored.is_active, stored.updated_at) == (1, True, own.updated_at)


def test_the_command_tells_what_it_did(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("seed_templates")
    told = capsys.readouterr().out.splitlines()
    assert told[0] == "created appointment-confirmation"
    assert told[-1] == "12 created, 0 updated, 0 retired, 0 unchanged."
    call_command("seed_templates")
    assert capsys.readouterr().out == "0 created, 0 updated, 0 retired, 12 unchanged.\n"


def test_a_private_template_belongs_to_somebody(make_template: Make) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        make_template(None, is_public=False)


@pytest.mark.django_db(transaction=True)
def test_processes_that_seed_at_the_same_moment_make_one_catalogue() -> None:
    def seed(_process: int) -> int:
        try:
            return len(seed_catalogue().created)
        finally:
            connection.close()

    with ThreadPoolExecutor(3) as processes:
        made = list(processes.map(seed, range(3)))
    assert sorted(made) == [0, 0, 12]
    assert WorkflowTemplate.unscoped.count() == 12
    assert TemplateParameter.unscoped.count() == sum(len(entry.parameters) for entry in CATALOGUE.values())
