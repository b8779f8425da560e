"""What a template was: the one place that writes versions and a template's parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from templates_app.models import TemplateParameter, TemplateVersion, WorkflowTemplate

_FIELDS = ("name", "type", "label", "description", "required", "default_value", "options", "validation")


def parameters_of(template: WorkflowTemplate) -> list[dict[str, Any]]:
    """The stored parameters in the form that `ParameterSpec.stored` gives."""
    return [{name: getattr(each, name) for name in _FIELDS} for each in template.parameters.all()]


def store_parameters(template: WorkflowTemplate, parameters: Sequence[dict[str, Any]]) -> None:
    """Put these in the place of the stored ones."""
    template.parameters.all().delete()
    TemplateParameter.unscoped.bulk_create(as_rows(template, parameters))


def as_rows(template: WorkflowTemplate, parameters: Sequence[dict[str, Any]]) -> list[TemplateParameter]:
    """Parameters of a version as rows that are not stored."""
    return [TemplateParameter(template=template, position=at, **each) for at, each in enumerate(parameters)]


def add_version(template: WorkflowTemplate, parameters: Sequence[dict[str, Any]], *, by: UUID | None) -> None:
    """Keep what a saved template is now under its number."""
    TemplateVersion(
        template=template,
        number=template.version,
        definition=template.definition,
        parameters=list(parameters),
        created_by_id=by,
    ).save(force_insert=True)
