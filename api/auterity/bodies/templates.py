"""Shapes of `/api/templates` (000, Template Schema; 001, Template API)."""

from __future__ import annotations

from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator

from api.auterity.bodies.workflows import Graph, GraphParts, WorkflowBody
from api.auterity.moments import Moment
from api.auterity.pages import Page, PageQuery
from templates_app.models import ParameterType
from templates_app.parameters import ParameterSpec
from templates_app.selectors import Sort


class ShelfQuery(BaseModel):
    """Which templates are counted."""

    model_config = ConfigDict(extra="ignore")

    public_only: bool = False


class TemplateQuery(PageQuery):
    category: Annotated[str, Field(max_length=100, description="Such as sales, service or marketing.")] = ""
    public_only: bool = False
    search: Annotated[str, Field(max_length=200, description="Looks in name and description.")] = ""
    tags: Annotated[
        str, Field(max_length=500, description="Tags with commas between them; a template has them all.")
    ] = ""
    sort: Annotated[Sort, Field(description="The most used, the best rated or the newest first; else by name.")] = (
        "name"
    )

    @property
    def tag_list(self) -> list[str]:
        return [each for each in self.tags.split(",") if each.strip()]


class TemplateSummary(BaseModel):
    """001, List Templates."""

    id: UUID
    name: str
    description: str
    category: str
    tags: list[str]
    is_active: bool
    is_public: bool
    version: int
    created_at: Moment
    updated_at: Moment
    organization_id: UUID | None
    preview_image: str | None
    usage_count: int
    parameter_count: int
    rating: float
    review_count: int


class TemplatePage(Page):
    templates: list[TemplateSummary]


class ParameterBody(BaseModel):
    """A parameter under the names of both documents: `type` = `parameter_type`, `required` = `is_required`."""

    name: str
    type: str
    parameter_type: str
    label: str
    description: str
    required: bool
    is_required: bool
    default_value: Any
    options: list[dict[str, Any]]
    validation: list[dict[str, Any]]


class ParameterIn(ParameterSpec):
    """A parameter as 000 or 001 writes it: `type` = `parameter_type`, `required` = `is_required`; one of each is enough."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "name": "customer_email",
                "description": "Customer email address",
                "parameter_type": "email",
                "is_required": True,
            }
        }
    )

    type: ParameterType = None  # type: ignore[assignment]  # `_one_name_each` sees to it.
    parameter_type: Annotated[ParameterType | None, Field(description="001's name of type.")] = None
    is_required: Annotated[bool | None, Field(description="001's name of required.")] = None

    @model_validator(mode="before")
    @classmethod
    def _one_name_each(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        merged = {name: value for name, value in given.items() if value is not None}
        for own, alias in (("type", "parameter_type"), ("required", "is_required")):
            if own in merged and alias in merged and merged[own] != merged[alias]:
                raise ValueError(f"{own} and {alias} are one field; send one of them")
            if alias in merged:
                merged[own] = merged[alias]
        if "type" not in merged:
            raise ValueError(f"Say the parameter's type: {', '.join(ParameterType)}.")
        return merged


class ReviewBody(BaseModel):
    """000 names TemplateReview; its fields are settled in `schemas/template.yaml`."""

    id: UUID
    template_id: UUID
    user_id: UUID
    rating: Annotated[int, Field(ge=1, le=5)]
    comment: str | None
    created_at: Moment
    updated_at: Moment


class ReviewPut(BaseModel):
    """Sending again replaces the earlier one."""

    model_config = ConfigDict(json_schema_extra={"example": {"rating": 5, "comment": "Saved us a day."}})

    rating: Annotated[int, Field(ge=1, le=5, strict=True)]
    comment: Annotated[str | None, Field(max_length=2000)] = None


class ReviewPage(Page):
    reviews: list[ReviewBody]
    rating: Annotated[float, Field(description="The mean of all reviews; 0 without any.")]


class TemplateDetail(BaseModel):
    id: UUID
    name: str
    description: str
    category: str
    tags: list[str]
    version: int
    is_active: bool
    is_public: bool
    organization_id: UUID | None
    created_by: UUID | None
    created_at: Moment
    updated_at: Moment
    definition: Graph
    parameters: list[ParameterBody]
    preview_image: str | None
    usage_count: int
    rating: float
    review_count: int
    reviews: Annotated[list[ReviewBody], Field(description="The newest; all of them have a list of their own.")]


class _About(BaseModel):
    """What a template says of itself."""

    description: str | None = None
    category: str | None = None
    tags: list[str] | None = None
    is_public: bool | None = None
    is_active: bool | None = None
    preview_image: Annotated[
        str | None, Field(description="An address with https://, or the id of a stored picture; empty takes it away.")
    ] = None
    parameters: list[ParameterIn] | None = None

    def said(self) -> dict[str, Any]:
        """The fields that were given and are not null."""
        return {name: value for name in _About.model_fields if (value := getattr(self, name)) is not None}


class TemplateCreate(_About, GraphParts):
    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "name": "New Sales Template",
                "description": "Template for new sales workflow",
                "category": "sales",
                "definition": {"nodes": [], "edges": []},
                "parameters": [
                    {
                        "name": "customer_email",
                        "description": "Customer email address",
                        "parameter_type": "email",
                        "is_required": True,
                    }
                ],
            }
        }
    )

    name: str


class TemplateUpdate(_About, GraphParts):
    """Fields left out are kept. `version` is the one you edited; a stale one is refused."""

    model_config = ConfigDict(json_schema_extra={"example": {"description": "Shorter text", "tags": ["sales", "lead"]}})

    name: str | None = None
    version: int | None = None


class SaveAsTemplate(_About):
    """What is left out is the workflow's own."""

    model_config = ConfigDict(json_schema_extra={"example": {"name": "Lead follow-up", "tags": ["lead"]}})

    name: str | None = None
    version: Annotated[int | None, Field(ge=1, description="Of the workflow; the newest if left out.")] = None


class VersionSummary(BaseModel):
    version: int
    created_by: UUID | None
    created_at: Moment


class TemplateVersionPage(Page):
    versions: list[VersionSummary]


class TemplateVersionDetail(VersionSummary):
    template_id: UUID
    definition: Graph
    parameters: list[ParameterBody]


class CategoryCount(BaseModel):
    category: str
    count: int


class Categories(BaseModel):
    categories: list[CategoryCount]
    total: int


class TagCount(BaseModel):
    tag: str
    count: int


class Tags(BaseModel):
    tags: list[TagCount]
    total: int


class Instantiate(BaseModel):
    """`parameters` (000) and `parameter_values` (001) are one field."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "name": "Customer ABC Follow-up",
                "description": "Follow-up workflow for Customer ABC",
                "parameter_values": {
                    "customer_name": "John Doe",
                    "customer_email": "john@example.com",
                    "budget_range": 35000,
                },
            }
        }
    )

    name: str | None = None
    description: str | None = None
    parameter_values: dict[str, Any] | None = None
    parameters: dict[str, Any] | None = None
    version: Annotated[int | None, Field(ge=1, description="Of the template; the newest if left out.")] = None

    @model_validator(mode="after")
    def _one_set_of_values(self) -> Self:
        given = (self.parameter_values, self.parameters)
        if None not in given and given[0] != given[1]:
            raise ValueError("parameters and parameter_values are one field; send one of them")
        return self

    @property
    def values(self) -> dict[str, Any]:
        return self.parameter_values if self.parameter_values is not None else self.parameters or {}


class Instantiated(WorkflowBody):
    template_id: UUID
