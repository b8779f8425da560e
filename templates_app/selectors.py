"""Reading templates. Every function starts from an actor and sees what that actor may see."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import Avg, Count, FloatField, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from auterity.kernel.access import Actor, Permission, require
from templates_app.errors import TemplateNotFound
from templates_app.models import TemplateParameter, TemplateReview, WorkflowTemplate


def list_templates(
    *, actor: Actor, category: str = "", public_only: bool = False, search: str = ""
) -> QuerySet[WorkflowTemplate]:
    """By name, lazily, each with `parameter_count` and `rating` (None without reviews), without the definition.

    The organization's own and the public ones; `public_only` leaves the public ones, the organization's own public ones
    among them. `search` looks in name and description, ignoring case (000).
    """
    require(actor, Permission.TEMPLATE_READ)
    found = _counted(WorkflowTemplate.objects.visible_to(actor)).defer("definition").order_by("name", "id")
    if public_only:
        found = found.filter(is_public=True, is_active=True)
    if category:
        found = found.filter(category=category)
    return found.filter(Q(name__icontains=search) | Q(description__icontains=search)) if search else found


def get_template(*, actor: Actor, template_id: UUID) -> WorkflowTemplate:
    """With its parameters, `parameter_count` and `rating`; two queries.

    Raises `TemplateNotFound`, also for another organization's private one.
    """
    require(actor, Permission.TEMPLATE_READ)
    return visible_template(actor=actor, template_id=template_id)


def visible_template(*, actor: Actor, template_id: UUID) -> WorkflowTemplate:
    """As `get_template`, for a service that has checked another permission."""
    visible = _counted(WorkflowTemplate.objects.visible_to(actor))
    template: WorkflowTemplate | None = visible.filter(id=template_id).prefetch_related("parameters").first()
    if template is None:
        raise TemplateNotFound
    return template


def _counted(templates: QuerySet[WorkflowTemplate]) -> QuerySet[Any]:
    """Subqueries and no joins: a page is cut first, and the large columns are not grouped by."""
    parameters = TemplateParameter.unscoped.filter(template=OuterRef("pk")).order_by().values("template")
    reviews = TemplateReview.unscoped.filter(template=OuterRef("pk")).order_by().values("template")
    counted = {
        "parameter_count": Coalesce(Subquery(parameters.annotate(count=Count("pk")).values("count")), 0),
        "rating": Subquery(reviews.annotate(mean=Avg("rating")).values("mean"), output_field=FloatField()),
    }
    return templates.annotate(**counted)
