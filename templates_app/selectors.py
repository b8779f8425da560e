"""Reading templates. Every function starts from an actor and sees what that actor may see."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Literal
from uuid import UUID

import orjson
from django.db.models import Avg, Count, F, FloatField, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from auterity.kernel.access import Actor, Permission, require
from templates_app.errors import TemplateNotFound, TemplateVersionNotFound
from templates_app.models import TemplateParameter, TemplateReview, TemplateVersion, WorkflowTemplate
from workflows.placeholders import emptied

Sort = Literal["name", "usage", "rating", "newest"]
_ORDERS: dict[str, list[Any]] = {
    "name": ["name", "id"],
    "usage": ["-usage_count", "name", "id"],
    "rating": [F("rating").desc(nulls_last=True), "-review_count", "name", "id"],
    "newest": ["-id"],
}


def list_templates(
    *,
    actor: Actor,
    category: str = "",
    public_only: bool = False,
    search: str = "",
    tags: Sequence[str] = (),
    sort: Sort = "name",
) -> QuerySet[WorkflowTemplate]:
    """Lazily, each with `parameter_count`, `review_count` and `rating` (None without reviews), without the definition.

    The organization's own and the public ones; `public_only` leaves the public ones, the organization's own public ones
    among them. `search` looks in name and description, ignoring case (000); of several `tags` a template has every one.
    """
    require(actor, Permission.TEMPLATE_READ)
    found = counted(_shelf(actor, public_only)).defer("definition").order_by(*_ORDERS[sort])
    if category:
        found = found.filter(category=category)
    for tag in tags:
        # A tag stands in the stored list as JSON writes it, so the quotes keep `car` from finding `carpet`.
        found = found.filter(tags__contains=orjson.dumps(" ".join(tag.split()).lower()).decode())
    return found.filter(Q(name__icontains=search) | Q(description__icontains=search)) if search else found


def changed_templates(*, actor: Actor) -> QuerySet[WorkflowTemplate]:
    """As `list_templates`, without what is counted and with what the organization itself deleted: for whoever keeps a copy."""
    require(actor, Permission.TEMPLATE_READ)
    gone = WorkflowTemplate.unscoped.filter(organization_id=actor.organization_id, deleted_at__isnull=False)
    seen = WorkflowTemplate.objects.visible_to(actor)
    return (seen | gone).defer("definition")


def list_categories(*, actor: Actor, public_only: bool = False) -> list[tuple[str, int]]:
    """Each category with how many templates the actor sees in it, by name; templates without one are left out."""
    require(actor, Permission.TEMPLATE_READ)
    named = _shelf(actor, public_only).exclude(category="").order_by("category")
    return list(named.values_list("category").annotate(count=Count("pk")))


def list_tags(*, actor: Actor, public_only: bool = False) -> list[tuple[str, int]]:
    """Each tag with how many templates the actor sees with it, the most used first."""
    require(actor, Permission.TEMPLATE_READ)
    counts = Counter(tag for tags in _shelf(actor, public_only).values_list("tags", flat=True) for tag in tags)
    return sorted(counts.items(), key=lambda each: (-each[1], each[0]))


def get_template(*, actor: Actor, template_id: UUID) -> WorkflowTemplate:
    """With its parameters, `parameter_count`, `review_count` and `rating`; two queries.

    Raises `TemplateNotFound`, also for another organization's private one.
    """
    require(actor, Permission.TEMPLATE_READ)
    return visible_template(actor=actor, template_id=template_id)


def visible_template(*, actor: Actor, template_id: UUID) -> WorkflowTemplate:
    """As `get_template`, for a service that has checked another permission."""
    visible = counted(WorkflowTemplate.objects.visible_to(actor))
    template: WorkflowTemplate | None = visible.filter(id=template_id).prefetch_related("parameters").first()
    if template is None:
        raise TemplateNotFound
    return template


def definition_for(actor: Actor, template: WorkflowTemplate, definition: dict[str, Any]) -> dict[str, Any]:
    """A template's definition as the actor's organization may have it.

    Secrets, and ids that mean something in one organization only, stay with the organization that made the template; for
    everybody else the node says what is to be filled in.
    """
    if template.organization_id in (None, actor.organization_id):
        return definition
    return {**definition, "nodes": [emptied(each) for each in definition.get("nodes") or []]}


def list_versions(*, actor: Actor, template_id: UUID) -> QuerySet[TemplateVersion]:
    """Newest first, without definitions and parameters. Raises `TemplateNotFound`."""
    template = get_template(actor=actor, template_id=template_id)
    found: QuerySet[TemplateVersion] = TemplateVersion.objects.visible_to(actor).filter(template=template)
    return found.defer("definition", "parameters").order_by("-number")


def get_version(*, actor: Actor, template_id: UUID, number: int) -> tuple[WorkflowTemplate, TemplateVersion]:
    """The template and what it was under this number. Raises `TemplateNotFound` or `TemplateVersionNotFound`."""
    template = get_template(actor=actor, template_id=template_id)
    return template, version_of(template, number)


def version_of(template: WorkflowTemplate, number: int) -> TemplateVersion:
    """A version of a template that the caller has proved to see. Raises `TemplateVersionNotFound`."""
    found = template.versions.filter(number=number).first()
    if not isinstance(found, TemplateVersion):
        raise TemplateVersionNotFound(f"The template has no version {number}; the newest is {template.version}.")
    return found


def newest_reviews(*, template: WorkflowTemplate, limit: int) -> list[TemplateReview]:
    """The newest reviews of a template that the caller has proved to see."""
    return list(template.reviews.order_by("-updated_at", "-id")[:limit])


def _shelf(actor: Actor, public_only: bool) -> QuerySet[WorkflowTemplate]:
    visible: QuerySet[WorkflowTemplate] = WorkflowTemplate.objects.visible_to(actor)
    return visible.filter(is_public=True, is_active=True) if public_only else visible


def counted(templates: QuerySet[WorkflowTemplate]) -> QuerySet[Any]:
    """Subqueries and no joins: a page is cut first, and the large columns are not grouped by."""
    parameters = TemplateParameter.unscoped.filter(template=OuterRef("pk")).order_by().values("template")
    reviews = TemplateReview.unscoped.filter(template=OuterRef("pk")).order_by().values("template")
    counted = {
        "parameter_count": Coalesce(Subquery(parameters.annotate(count=Count("pk")).values("count")), 0),
        "review_count": Coalesce(Subquery(reviews.annotate(count=Count("pk")).values("count")), 0),
        "rating": Subquery(reviews.annotate(mean=Avg("rating")).values("mean"), output_field=FloatField()),
    }
    return templates.annotate(**counted)
