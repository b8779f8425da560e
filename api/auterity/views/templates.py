"""`/api/templates`: the catalogue, and workflows made from it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from accounts.errors import NotAuthenticated
from api.auterity.bodies import templates as bodies
from api.auterity.bodies.workflows import Graph
from api.auterity.dialect import AuterityView
from api.auterity.pages import cut
from api.auterity.views.workflows import workflow_keys
from api.base import Answer, Call, operation
from auterity.kernel.errors import InvalidInput, PermissionDenied
from templates_app import selectors, services
from templates_app.errors import TemplateInactive, TemplateNotFound
from templates_app.models import TemplateParameter, TemplateReview, WorkflowTemplate
from workflows.selectors import get_version
from workflows.shapes import write_graph

SHOWN_REVIEWS = 20  # the newest; all of them have a list of their own


class TemplatesView(AuterityView):
    @operation(
        summary="List templates",
        query=bodies.TemplateQuery,
        answers={200: bodies.TemplatePage},
        raises=[NotAuthenticated, PermissionDenied, InvalidInput],
    )
    def get(self, call: Call[None]) -> Answer:
        """The public ones and the organization's own, by name."""
        rows = selectors.list_templates(
            actor=call.actor,
            category=call.query.category,
            public_only=call.query.public_only,
            search=call.query.search,
        )
        found, page = cut(rows, call.query, default_size=self.edition.page_size)
        return Answer(bodies.TemplatePage(templates=[_summary(each) for each in found], **page))


class TemplateView(AuterityView):
    @operation(
        summary="Read a template",
        answers={200: bodies.TemplateDetail},
        raises=[NotAuthenticated, PermissionDenied, TemplateNotFound],
    )
    def get(self, call: Call[None], template_id: UUID) -> Answer:
        """With its definition and parameters."""
        return Answer(_detail(selectors.get_template(actor=call.actor, template_id=template_id)))


class InstantiateView(AuterityView):
    @operation(
        summary="Make a workflow from a template",
        body=bodies.Instantiate,
        answers={201: bodies.Instantiated, 200: bodies.Instantiated},
        raises=[NotAuthenticated, PermissionDenied, TemplateNotFound, TemplateInactive, InvalidInput],
        creates=True,
    )
    def post(self, call: Call[bodies.Instantiate], template_id: UUID) -> Answer:
        """Values are put in for the template's parameters; other `{{ }}` stay for run time. 201, or 200 under 2025-08-08."""
        workflow = services.instantiate(
            actor=call.actor,
            template_id=template_id,
            values=call.body.values,
            name=call.body.name,
            description=call.body.description,
        )
        definition = get_version(actor=call.actor, workflow=workflow).definition
        return Answer(bodies.Instantiated(**workflow_keys(workflow, definition)), self.edition.instantiate_status)


def _summary(template: WorkflowTemplate) -> bodies.TemplateSummary:
    return bodies.TemplateSummary(
        id=template.id,
        name=template.name,
        description=template.description,
        category=template.category,
        tags=template.tags,
        is_active=template.is_active,
        is_public=template.is_public,
        version=template.version,
        created_at=template.created_at,
        usage_count=template.usage_count,
        parameter_count=template.parameter_count,
        rating=template.rating or 0.0,
    )


def _detail(template: WorkflowTemplate) -> bodies.TemplateDetail:
    return bodies.TemplateDetail(
        id=template.id,
        name=template.name,
        description=template.description,
        category=template.category,
        tags=template.tags,
        version=template.version,
        is_active=template.is_active,
        is_public=template.is_public,
        organization_id=template.organization_id,
        created_by=template.created_by_id,
        created_at=template.created_at,
        updated_at=template.updated_at,
        definition=Graph(**write_graph(template.definition)),
        parameters=[bodies.ParameterBody(**_parameter(each)) for each in template.parameters.all()],
        preview_image=template.preview_image,
        usage_count=template.usage_count,
        rating=template.rating or 0.0,
        reviews=[_review(each) for each in template.reviews.order_by("-id")[:SHOWN_REVIEWS]],
    )


def _review(review: TemplateReview) -> bodies.ReviewBody:
    return bodies.ReviewBody(
        id=review.id,
        template_id=review.template_id,
        user_id=review.user_id,
        rating=review.rating,
        comment=review.comment,
        created_at=review.created_at,
        updated_at=review.updated_at,
    )


def _parameter(parameter: TemplateParameter) -> dict[str, Any]:
    return {
        "name": parameter.name,
        "type": parameter.type,
        "parameter_type": parameter.type,
        "label": parameter.label or parameter.name,
        "description": parameter.description,
        "required": parameter.required,
        "is_required": parameter.required,
        "default_value": parameter.default_value,
        "options": parameter.options,
        "validation": parameter.validation,
    }
