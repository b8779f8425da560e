"""Writing templates and making workflows from them. Each function stores all or nothing, in one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from auterity.kernel.access import Actor, Permission, require
from auterity.kernel.errors import FieldProblem, InvalidInput, RevisionConflict
from templates_app import blanks, selectors
from templates_app.errors import NotYourTemplate, TemplateInactive
from templates_app.models import WorkflowTemplate
from templates_app.parameters import MAX_PARAMETERS, ParameterSpec, names_twice
from templates_app.previews import read_preview
from templates_app.substitution import substituted
from templates_app.versions import add_version, as_rows, parameters_of, store_parameters
from workflows import placeholders
from workflows import selectors as workflows
from workflows.models import Workflow
from workflows.sealing import sealed_definition
from workflows.services import create_workflow
from workflows.shapes import read_definition
from workflows.versions import check_definition

MAX_TAGS = 20
MAX_TAG = 50  # characters
MAX_DESCRIPTION = 20_000  # characters


@dataclass(frozen=True, slots=True)
class TemplateChange:
    """What an update says. None means "leave as it is"; an empty `preview_image` takes the picture away.

    `parts` are a request's parts of a definition in either documented shape, merged with what is stored. `version` is the one
    that was edited.
    """

    name: str | None = None
    description: str | None = None
    category: str | None = None
    tags: Sequence[str] | None = None
    is_public: bool | None = None
    is_active: bool | None = None
    preview_image: str | None = None
    parts: Mapping[str, Any] | None = None
    parameters: Sequence[ParameterSpec] | None = None
    version: int | None = None


@transaction.atomic
def create_template(
    *,
    actor: Actor,
    name: str,
    definition: dict[str, Any],
    description: str = "",
    category: str = "",
    tags: Sequence[str] = (),
    is_public: bool = False,
    is_active: bool = True,
    preview_image: str | None = None,
    parameters: Sequence[ParameterSpec] = (),
) -> WorkflowTemplate:
    """Store a template with its first version. Raises `DefinitionRefused` or `InvalidInput`.

    A definition with blanks need not be able to run; what it becomes when they are filled is checked by `instantiate`.
    """
    require(actor, Permission.TEMPLATE_CREATE)
    template = WorkflowTemplate(organization_id=actor.organization_id, created_by_id=actor.user_id)
    given = TemplateChange(
        name, description, category, tags, is_public, is_active, preview_image, parameters=parameters
    )
    _take(actor, template, given)
    check_definition(definition, must_run=False)
    template.definition = sealed_definition(actor.organization_id, definition, blanks=True)
    template.save(force_insert=True)
    kept = [each.stored() for each in parameters]
    store_parameters(template, kept)
    add_version(template, kept, by=actor.user_id)
    return selectors.visible_template(actor=actor, template_id=template.id)


@transaction.atomic
def save_as_template(
    *, actor: Actor, workflow_id: UUID, number: int | None = None, name: str | None = None, **about: Any
) -> WorkflowTemplate:
    """A template from a version of a workflow, the newest where no `number` is given; `about` as in `create_template`.

    Raises what that raises, `WorkflowNotFound` and `VersionNotFound`. The workflow stays as it is.
    """
    require(actor, Permission.TEMPLATE_CREATE)
    workflow = workflows.get_workflow(actor=actor, workflow_id=workflow_id)
    version = workflows.get_version(actor=actor, workflow=workflow, number=number)
    given = {"description": workflow.description, "category": workflow.category} | about
    return create_template(actor=actor, name=name or workflow.name, definition=version.definition, **given)


@transaction.atomic
def update_template(*, actor: Actor, template_id: UUID, change: TemplateChange) -> WorkflowTemplate:
    """Apply a change. Another definition or other parameters make a new version; a stale `version` raises `RevisionConflict`.

    Raises `TemplateNotFound`, `NotYourTemplate`, `DefinitionRefused` or `InvalidInput`.
    """
    require(actor, Permission.TEMPLATE_UPDATE)
    template = _own(actor, template_id)
    if change.version is not None and change.version != template.version:
        raise RevisionConflict(
            f"You edited version {change.version}; the stored one is version {template.version}. "
            "Read it again, then repeat your change.",
            given=change.version,
            current=template.version,
        )
    _take(actor, template, change)
    definition = read_definition(change.parts or {}, template.definition)
    if definition is None:
        definition = template.definition
    else:
        check_definition(definition, must_run=False)
        definition = sealed_definition(actor.organization_id, definition, blanks=True)
    stored = parameters_of(template)
    parameters = stored if change.parameters is None else [each.stored() for each in change.parameters]
    changed = (definition, parameters) != (template.definition, stored)
    if changed:
        template.version += 1
        template.definition = definition
    template.save()
    if parameters != stored:
        store_parameters(template, parameters)
    if changed:
        add_version(template, parameters, by=actor.user_id)
    return selectors.visible_template(actor=actor, template_id=template.id)


@transaction.atomic
def delete_template(*, actor: Actor, template_id: UUID) -> None:
    """Nobody sees it any more. Workflows made from it keep their definition and its id.

    Raises `TemplateNotFound` or `NotYourTemplate`.
    """
    require(actor, Permission.TEMPLATE_DELETE)
    template = _own(actor, template_id)
    template.deleted_at = timezone.now()
    template.is_active = False
    template.save(update_fields=["deleted_at", "is_active", "updated_at"])


@transaction.atomic
def instantiate(
    *,
    actor: Actor,
    template_id: UUID,
    values: Mapping[str, Any],
    name: str | None = None,
    description: str | None = None,
    version: int | None = None,
) -> Workflow:
    """A workflow made from a template, its parameters filled in (001, "Instantiate Template").

    `name` and `description` are the template's own where not given; without `version` it is the newest. The template's use is
    counted. What another organization's template leaves to be filled in makes an inactive draft. Raises `TemplateNotFound`,
    `TemplateVersionNotFound`, `TemplateInactive`, `InvalidInput` naming every wrong parameter, or `DefinitionRefused`.
    """
    require(actor, Permission.WORKFLOW_CREATE)
    template = selectors.visible_template(actor=actor, template_id=template_id)
    if not template.is_active:
        raise TemplateInactive
    definition, parameters = template.definition, list(template.parameters.all())
    if version is not None and version != template.version:
        old = selectors.version_of(template, version)
        definition, parameters = old.definition, as_rows(template, old.parameters)
    filled = substituted(selectors.definition_for(actor, template, definition), blanks.fill(parameters, values))
    wanting = bool(placeholders.blanks(filled))
    workflow = create_workflow(
        actor=actor,
        name=template.name if name is None else name,
        description=template.description if description is None else description,
        category=template.category,
        definition=filled,
        template_id=template.id,
        is_active=not wanting,
        draft=wanting,
    )
    WorkflowTemplate.unscoped.filter(pk=template.pk).update(usage_count=F("usage_count") + 1)
    return workflow


# -- inside ----------------------------------------------------------------------------------------------------------


def _own(actor: Actor, template_id: UUID) -> WorkflowTemplate:
    """A template of the actor's organization, until the transaction ends this writer's alone."""
    found = WorkflowTemplate.objects.visible_to(actor).select_for_update(no_key=True).filter(id=template_id).first()
    if found is None:
        return selectors.visible_template(actor=actor, template_id=template_id)  # Raises.
    if found.organization_id != actor.organization_id:
        raise NotYourTemplate
    template: WorkflowTemplate = found
    return template


def _take(actor: Actor, template: WorkflowTemplate, change: TemplateChange) -> None:
    """Put what a change says about the template into it, but for its definition and parameters. Raises `InvalidInput`."""
    problems = [*_text_problems(change), *_parameter_problems(change.parameters or ())]
    tags = None if change.tags is None else _tags(change.tags, problems)
    if problems:
        raise InvalidInput(problems)
    for field in ("description", "is_public", "is_active"):
        value = getattr(change, field)
        if value is not None:
            setattr(template, field, value)
    template.name = template.name if change.name is None else change.name.strip()
    template.category = template.category if change.category is None else change.category.strip()
    template.tags = template.tags if tags is None else tags
    if change.preview_image is not None:
        template.preview_image = read_preview(actor=actor, given=change.preview_image.strip(), template=template)


def _text_problems(change: TemplateChange) -> list[FieldProblem]:
    problems = []
    if change.name is not None and not 1 <= len(change.name.strip()) <= 200:
        problems.append(FieldProblem("name", "A template's name has 1 to 200 characters."))
    if change.category is not None and len(change.category.strip()) > 100:
        problems.append(FieldProblem("category", "A category has at most 100 characters."))
    if change.description is not None and len(change.description) > MAX_DESCRIPTION:
        problems.append(FieldProblem("description", f"A description has at most {MAX_DESCRIPTION:,} characters."))
    return problems


def _parameter_problems(parameters: Sequence[ParameterSpec]) -> list[FieldProblem]:
    problems = [FieldProblem("parameters", f"Two parameters are called {name}.") for name in names_twice(parameters)]
    if len(parameters) > MAX_PARAMETERS:
        problems.append(FieldProblem("parameters", f"A template has at most {MAX_PARAMETERS} parameters."))
    return problems


def _tags(given: Sequence[str], problems: list[FieldProblem]) -> list[str]:
    """In lower case and once each, so that a tag is found however it was written."""
    tags = list(dict.fromkeys(" ".join(each.split()).lower() for each in given))
    if len(tags) > MAX_TAGS:
        problems.append(FieldProblem("tags", f"A template has at most {MAX_TAGS} tags."))
    if any(not 1 <= len(each) <= MAX_TAG or "," in each or not each.isprintable() for each in tags):
        problems.append(FieldProblem("tags", f"A tag has 1 to {MAX_TAG} characters, and no comma."))
    return tags
