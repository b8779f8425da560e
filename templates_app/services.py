"""Writing templates and making workflows from them. Each function stores all or nothing, in one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import F

from auterity.kernel.access import Actor, Permission, require
from templates_app import blanks, selectors
from templates_app.entries import Entry, entries
from templates_app.errors import TemplateInactive
from templates_app.models import TemplateParameter, WorkflowTemplate
from templates_app.substitution import substituted
from workflows.models import Workflow
from workflows.services import create_workflow


@transaction.atomic
def instantiate(
    *,
    actor: Actor,
    template_id: UUID,
    values: Mapping[str, Any],
    name: str | None = None,
    description: str | None = None,
) -> Workflow:
    """A workflow made from a template, its parameters filled in (001, "Instantiate Template").

    `name` and `description` are the template's own where not given. The template's use is counted. Raises
    `TemplateNotFound`, `TemplateInactive`, `InvalidInput` naming every wrong parameter, or `DefinitionRefused`.
    """
    require(actor, Permission.WORKFLOW_CREATE)
    template = selectors.visible_template(actor=actor, template_id=template_id)
    if not template.is_active:
        raise TemplateInactive
    filled = blanks.fill(list(template.parameters.all()), values)
    workflow = create_workflow(
        actor=actor,
        name=template.name if name is None else name,
        description=template.description if description is None else description,
        category=template.category,
        definition=substituted(template.definition, filled),
        template_id=template.id,
    )
    WorkflowTemplate.unscoped.filter(pk=template.pk).update(usage_count=F("usage_count") + 1)
    return workflow


@dataclass(frozen=True, slots=True)
class Seeded:
    """What seeding did, by slug. `retired` ones left the catalogue: switched off, and kept for what refers to them."""

    created: tuple[str, ...]
    updated: tuple[str, ...]
    retired: tuple[str, ...]
    unchanged: tuple[str, ...]


def seed_catalogue(given: Iterable[Entry] | None = None) -> Seeded:
    """Bring the stored catalogue to what the files say; doing it again changes nothing.

    A changed file raises the version; what an operator switched off stays off. Organizations' own templates are never
    looked at. Raises `BadEntry`.
    """
    wanted = {entry.slug: entry for entry in (entries() if given is None else given)}
    try:
        return _seed(wanted)
    except IntegrityError:
        # Another process seeded the same slugs at the same moment; this time they are there to be compared with.
        return _seed(wanted)


@transaction.atomic
def _seed(wanted: Mapping[str, Entry]) -> Seeded:
    stored = {
        each.slug: each
        for each in WorkflowTemplate.unscoped.select_for_update().filter(slug__isnull=False).order_by("slug")
    }
    created = [slug for slug in wanted if slug not in stored]
    updated = [slug for slug in wanted if slug in stored and _content(stored[slug]) != _wanted(wanted[slug])]
    retired = [slug for slug in stored if slug not in wanted]
    for slug in created:
        _store(WorkflowTemplate(slug=slug, is_public=True), wanted[slug])
    for slug in updated:
        stored[slug].version += 1
        _store(stored[slug], wanted[slug])
    WorkflowTemplate.unscoped.filter(slug__in=retired).update(is_active=False, slug=None)
    unchanged = wanted.keys() - {*created, *updated}
    return Seeded(tuple(created), tuple(updated), tuple(retired), tuple(sorted(unchanged)))


_FIELDS = ("name", "description", "category", "tags", "definition")
_PARAMETER_FIELDS = ("name", "type", "label", "description", "required", "default_value", "options", "validation")


def _wanted(entry: Entry) -> dict[str, Any]:
    said = entry.model_dump(mode="json")
    return {name: said[name] for name in (*_FIELDS, "parameters")}


def _content(template: WorkflowTemplate) -> dict[str, Any]:
    """What is stored, in the form of `_wanted`."""
    parameters = [{name: getattr(each, name) for name in _PARAMETER_FIELDS} for each in template.parameters.all()]
    return {**{name: getattr(template, name) for name in _FIELDS}, "parameters": parameters}


def _store(template: WorkflowTemplate, entry: Entry) -> None:
    said = _wanted(entry)
    for name in _FIELDS:
        setattr(template, name, said[name])
    template.save()
    template.parameters.all().delete()
    TemplateParameter.unscoped.bulk_create(
        TemplateParameter(template=template, position=at, **parameter)
        for at, parameter in enumerate(said["parameters"])
    )
