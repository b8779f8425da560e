"""`/api/templates`: the catalogue, templates of one's own with their versions and reviews, and workflows made from them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from pydantic import BaseModel

from accounts.errors import NotAuthenticated
from api.auterity.bodies import templates as bodies
from api.auterity.bodies.workflows import Graph, GraphParts
from api.auterity.dialect import AuterityView
from api.auterity.pages import cut
from api.auterity.views.workflows import workflow_keys
from api.base import Answer, Call, operation
from api.downloads import download
from api.uploads import WhateverIsAccepted
from artefacts.errors import FileDamaged, FileNotFound
from auterity.kernel.access import Actor, Permission
from auterity.kernel.errors import InvalidInput, PermissionDenied, RevisionConflict
from templates_app import previews, reviews, selectors, services
from templates_app.errors import (
    NotYourReview,
    NotYourTemplate,
    ReviewNotFound,
    TemplateInactive,
    TemplateNotFound,
    TemplateVersionNotFound,
)
from templates_app.models import TemplateParameter, TemplateReview, TemplateVersion, WorkflowTemplate
from templates_app.services import TemplateChange
from templates_app.versions import as_rows
from workflows.errors import DefinitionRefused, VersionNotFound, WorkflowNotFound
from workflows.selectors import get_version
from workflows.shapes import read_definition, write_graph

SHOWN_REVIEWS = 20  # the newest; all of them have a list of their own
READING = (NotAuthenticated, PermissionDenied, TemplateNotFound)
SAVING = (NotAuthenticated, PermissionDenied, InvalidInput, DefinitionRefused)


class TemplatesView(AuterityView):
    @operation(
        needs=Permission.TEMPLATE_READ,
        summary="List templates",
        query=bodies.TemplateQuery,
        answers={200: bodies.TemplatePage},
        raises=[NotAuthenticated, PermissionDenied, InvalidInput],
    )
    def get(self, call: Call[None]) -> Answer:
        """The public ones and the organization's own, by name unless `sort` says otherwise."""
        rows = selectors.list_templates(
            actor=call.actor,
            category=call.query.category,
            public_only=call.query.public_only,
            search=call.query.search,
            tags=call.query.tag_list,
            sort=call.query.sort,
        )
        found, page = cut(rows, call.query, default_size=self.edition.page_size)
        return Answer(bodies.TemplatePage(templates=[_summary(each) for each in found], **page))

    @operation(
        needs=Permission.TEMPLATE_CREATE,
        summary="Create a template",
        body=bodies.TemplateCreate,
        answers={201: bodies.TemplateDetail},
        raises=SAVING,
        creates=True,
    )
    def post(self, call: Call[bodies.TemplateCreate]) -> Answer:
        """Of the organization's own. `is_public` shows it to every organization, without secrets and ids of connections."""
        definition = read_definition(_parts(call.body))
        if definition is None:
            raise InvalidInput.of("definition", "A template needs a definition with nodes and edges.", "required")
        template = services.create_template(
            actor=call.actor, name=call.body.name, definition=definition, **call.body.said()
        )
        return Answer(_detail(call.actor, template), 201)


class CategoriesView(AuterityView):
    @operation(
        needs=Permission.TEMPLATE_READ,
        summary="List the categories of templates",
        query=bodies.ShelfQuery,
        answers={200: bodies.Categories},
        raises=[NotAuthenticated, PermissionDenied, InvalidInput],
    )
    def get(self, call: Call[None]) -> Answer:
        """Each with how many templates you see in it."""
        found = selectors.list_categories(actor=call.actor, public_only=call.query.public_only)
        listed = [bodies.CategoryCount(category=name, count=count) for name, count in found]
        return Answer(bodies.Categories(categories=listed, total=len(listed)))


class TagsView(AuterityView):
    @operation(
        needs=Permission.TEMPLATE_READ,
        summary="List the tags of templates",
        query=bodies.ShelfQuery,
        answers={200: bodies.Tags},
        raises=[NotAuthenticated, PermissionDenied, InvalidInput],
    )
    def get(self, call: Call[None]) -> Answer:
        """Each with how many templates you see with it, the most used first."""
        found = selectors.list_tags(actor=call.actor, public_only=call.query.public_only)
        listed = [bodies.TagCount(tag=name, count=count) for name, count in found]
        return Answer(bodies.Tags(tags=listed, total=len(listed)))


class TemplateView(AuterityView):
    @operation(
        needs=Permission.TEMPLATE_READ, summary="Read a template", answers={200: bodies.TemplateDetail}, raises=READING
    )
    def get(self, call: Call[None], template_id: UUID) -> Answer:
        """With its definition, parameters and newest reviews."""
        return Answer(_detail(call.actor, selectors.get_template(actor=call.actor, template_id=template_id)))

    @operation(
        needs=Permission.TEMPLATE_UPDATE,
        summary="Change a template",
        body=bodies.TemplateUpdate,
        answers={200: bodies.TemplateDetail},
        raises=[*SAVING, TemplateNotFound, NotYourTemplate, RevisionConflict],
    )
    def put(self, call: Call[bodies.TemplateUpdate], template_id: UUID) -> Answer:
        """Fields left out are kept. Another definition or other parameters make a new version. Only the owner may."""
        change = TemplateChange(
            name=call.body.name, parts=_parts(call.body), version=call.body.version, **call.body.said()
        )
        template = services.update_template(actor=call.actor, template_id=template_id, change=change)
        return Answer(_detail(call.actor, template))

    @operation(
        needs=Permission.TEMPLATE_DELETE,
        summary="Delete a template",
        answers={204: None},
        raises=[*READING, NotYourTemplate],
    )
    def delete(self, call: Call[None], template_id: UUID) -> Answer:
        """Workflows made from it stay as they are. Only the owner may."""
        services.delete_template(actor=call.actor, template_id=template_id)
        return Answer(None, 204)


class TemplateVersionsView(AuterityView):
    @operation(
        needs=Permission.TEMPLATE_READ,
        id="template_version_list",
        summary="List a template's versions",
        query=bodies.PageQuery,
        answers={200: bodies.TemplateVersionPage},
        raises=[*READING, InvalidInput],
    )
    def get(self, call: Call[None], template_id: UUID) -> Answer:
        """Newest first."""
        rows = selectors.list_versions(actor=call.actor, template_id=template_id)
        found, page = cut(rows, call.query, default_size=self.edition.page_size)
        return Answer(
            bodies.TemplateVersionPage(versions=[bodies.VersionSummary(**_version(each)) for each in found], **page)
        )


class TemplateVersionView(AuterityView):
    @operation(
        needs=Permission.TEMPLATE_READ,
        id="template_version_get",
        summary="Read a version of a template",
        answers={200: bodies.TemplateVersionDetail},
        raises=[*READING, TemplateVersionNotFound],
    )
    def get(self, call: Call[None], template_id: UUID, number: int) -> Answer:
        """With its definition and parameters. A workflow can be made from it by its number."""
        template, version = selectors.get_version(actor=call.actor, template_id=template_id, number=number)
        detail = bodies.TemplateVersionDetail(
            **_version(version),
            template_id=template.id,
            definition=_graph(call.actor, template, version.definition),
            parameters=[_parameter(each) for each in as_rows(template, version.parameters)],
        )
        return Answer(detail)


class TemplateReviewsView(AuterityView):
    @operation(
        needs=Permission.TEMPLATE_READ,
        id="template_review_list",
        summary="List a template's reviews",
        query=bodies.PageQuery,
        answers={200: bodies.ReviewPage},
        raises=[*READING, InvalidInput],
    )
    def get(self, call: Call[None], template_id: UUID) -> Answer:
        """Newest first, with the mean of all of them."""
        template = selectors.get_template(actor=call.actor, template_id=template_id)
        rows = reviews.list_reviews(actor=call.actor, template_id=template_id)
        found, page = cut(rows, call.query, default_size=self.edition.page_size, total=template.review_count)
        listed = [_review(each) for each in found]
        return Answer(bodies.ReviewPage(reviews=listed, rating=template.rating or 0.0, **page))

    @operation(
        needs=Permission.TEMPLATE_READ,
        id="template_review_put",
        summary="Review a template",
        body=bodies.ReviewPut,
        answers={201: bodies.ReviewBody},
        raises=[*READING, InvalidInput],
        creates=True,
    )
    def post(self, call: Call[bodies.ReviewPut], template_id: UUID) -> Answer:
        """Yours is one; sending again replaces it. Whoever sees a template may review it."""
        review = reviews.put_review(
            actor=call.actor, template_id=template_id, rating=call.body.rating, comment=call.body.comment
        )
        return Answer(_review(review), 201)


class TemplateReviewView(AuterityView):
    @operation(
        needs=Permission.TEMPLATE_READ,
        id="template_review_delete",
        summary="Take your review back",
        answers={204: None},
        raises=[*READING, ReviewNotFound, NotYourReview],
    )
    def delete(self, call: Call[None], template_id: UUID, review_id: UUID) -> Answer:
        """Only your own."""
        reviews.delete_review(actor=call.actor, template_id=template_id, review_id=review_id)
        return Answer(None, 204)


class TemplatePreviewView(AuterityView):
    content_negotiation_class = WhateverIsAccepted

    @operation(
        needs=Permission.TEMPLATE_READ,
        id="template_preview",
        summary="Download a template's stored picture",
        answers={200: bytes, 206: bytes, 304: None},
        raises=[*READING, FileNotFound, FileDamaged],
    )
    def get(self, call: Call[None], template_id: UUID) -> Answer:
        """For everybody who sees the template. A template whose picture is an https address has none here."""
        template = selectors.get_template(actor=call.actor, template_id=template_id)
        return Answer(download(call.request, previews.preview_file(template)))


class SaveAsTemplateView(AuterityView):
    @operation(
        needs=Permission.TEMPLATE_CREATE,
        summary="Make a template from a workflow",
        body=bodies.SaveAsTemplate,
        answers={201: bodies.TemplateDetail},
        raises=[*SAVING, WorkflowNotFound, VersionNotFound],
        creates=True,
    )
    def post(self, call: Call[bodies.SaveAsTemplate], workflow_id: UUID) -> Answer:
        """Write `{{name}}` where a value is to be filled in, and list the names under `parameters`. The workflow stays."""
        template = services.save_as_template(
            actor=call.actor,
            workflow_id=workflow_id,
            number=call.body.version,
            name=call.body.name,
            **call.body.said(),
        )
        return Answer(_detail(call.actor, template), 201)


class InstantiateView(AuterityView):
    @operation(
        needs=Permission.WORKFLOW_CREATE,
        summary="Make a workflow from a template",
        body=bodies.Instantiate,
        answers={201: bodies.Instantiated, 200: bodies.Instantiated},
        raises=[*SAVING, TemplateNotFound, TemplateVersionNotFound, TemplateInactive],
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
            version=call.body.version,
        )
        definition = get_version(actor=call.actor, workflow=workflow).definition
        return Answer(bodies.Instantiated(**workflow_keys(workflow, definition)), self.edition.instantiate_status)


def _parts(body: BaseModel) -> dict[str, Any]:
    return body.model_dump(include=set(GraphParts.model_fields), exclude_unset=True)


def _graph(actor: Actor, template: WorkflowTemplate, definition: dict[str, Any]) -> Graph:
    return Graph(**write_graph(selectors.definition_for(actor, template, definition)))


def _version(version: TemplateVersion) -> dict[str, Any]:
    return {"version": version.number, "created_by": version.created_by_id, "created_at": version.created_at}


def _about(template: WorkflowTemplate) -> dict[str, Any]:
    """What a template is called and counts, in a list and alone."""
    return {
        "id": template.id,
        "name": template.name,
        "description": template.description,
        "category": template.category,
        "tags": template.tags,
        "version": template.version,
        "is_active": template.is_active,
        "is_public": template.is_public,
        "organization_id": template.organization_id,
        "created_at": template.created_at,
        "updated_at": template.updated_at,
        "preview_image": previews.shown_preview(template),
        "usage_count": template.usage_count,
        "rating": template.rating or 0.0,
        "review_count": template.review_count,
    }


def _summary(template: WorkflowTemplate) -> bodies.TemplateSummary:
    return bodies.TemplateSummary(**_about(template), parameter_count=template.parameter_count)


def _detail(actor: Actor, template: WorkflowTemplate) -> bodies.TemplateDetail:
    return bodies.TemplateDetail(
        **_about(template),
        created_by=template.created_by_id,
        definition=_graph(actor, template, template.definition),
        parameters=[_parameter(each) for each in template.parameters.all()],
        reviews=[_review(each) for each in selectors.newest_reviews(template=template, limit=SHOWN_REVIEWS)],
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


def _parameter(parameter: TemplateParameter) -> bodies.ParameterBody:
    return bodies.ParameterBody(
        name=parameter.name,
        type=parameter.type,
        parameter_type=parameter.type,
        label=parameter.label or parameter.name,
        description=parameter.description,
        required=parameter.required,
        is_required=parameter.required,
        default_value=parameter.default_value,
        options=parameter.options,
        validation=parameter.validation,
    )
