"""Shapes of `/api/templates` (000, Template Schema; 001, Template API)."""

from __future__ import annotations

from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator

from api.auterity.bodies.workflows import Graph, WorkflowBody
from api.auterity.moments import Moment
from api.auterity.pages import Page, PageQuery


class TemplateQuery(PageQuery):
    category: Annotated[str, Field(max_length=100, description="Such as sales, service or marketing.")] = ""
    public_only: bool = False
    search: Annotated[str, Field(max_length=200, description="Looks in name and description.")] = ""


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
    usage_count: int
    parameter_count: int
    rating: float


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


class ReviewBody(BaseModel):
    """000 names TemplateReview; its fields are settled in `schemas/template.yaml`."""

    id: UUID
    template_id: UUID
    user_id: UUID
    rating: Annotated[int, Field(ge=1, le=5)]
    comment: str | None
    created_at: Moment
    updated_at: Moment


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
    reviews: list[ReviewBody]


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
