"""Secrets that templates of organizations were stored with before they were sealed. The product's own hold none."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction

from templates_app.models import TemplateVersion, WorkflowTemplate
from workflows.sealing import sealed_definition

BATCH = 100


def seal_templates(*, organization_id: UUID | None = None) -> int:
    """Seal what templates and their versions hold in the clear. Returns how many rows held something."""
    templates = WorkflowTemplate.unscoped.exclude(organization=None)
    versions = TemplateVersion.unscoped.exclude(template__organization=None).select_related("template")
    if organization_id is not None:
        templates = templates.filter(organization_id=organization_id)
        versions = versions.filter(template__organization_id=organization_id)
    count = 0
    for row in templates.order_by("pk").iterator(chunk_size=BATCH):
        count += _seal(row.organization_id, row)
    for row in versions.order_by("pk").iterator(chunk_size=BATCH):
        count += _seal(row.template.organization_id, row)
    return count


def _seal(organization_id: UUID, row: WorkflowTemplate | TemplateVersion) -> int:
    """Locked, because a template may be changed at this moment."""
    with transaction.atomic():
        rows = type(row).unscoped.filter(pk=row.pk)
        definition = rows.select_for_update(of=("self",)).values_list("definition", flat=True).first()
        if definition is None:
            return 0
        sealed = sealed_definition(organization_id, definition, blanks=True)
        return 0 if sealed is definition else rows.update(definition=sealed)
