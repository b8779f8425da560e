"""Shapes of questions that waiting steps ask people, and of events that come in."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypeAliasType

from api.auterity.moments import Moment
from api.auterity.pages import Page, PageQuery

QuestionReason = TypeAliasType("QuestionReason", Literal["approval", "form", "settle"])


class PersonBody(BaseModel):
    email: str
    name: str = ""


class QuestionBody(BaseModel):
    """`may_answer` says whether the caller was asked; `fields` are those of the node's configuration."""

    id: UUID
    execution_id: UUID
    workflow_id: UUID
    node_id: str
    reason: QuestionReason
    title: str
    message: str
    fields: list[dict[str, Any]]
    people: list[PersonBody]
    roles: list[str]
    public: bool
    open: bool
    may_answer: bool
    answers: int
    expires_at: Moment | None
    created_at: Moment


class QuestionPage(Page):
    questions: list[QuestionBody]


class QuestionQuery(PageQuery):
    reason: QuestionReason | None = None
    execution_id: UUID | None = None


class AnswerGiven(BaseModel):
    """By the question's reason: approval `decision`, `comment`, `fields`; form `values`; settle `happened`, `output`."""

    model_config = ConfigDict(json_schema_extra={"example": {"decision": "approve", "comment": "Go ahead."}})

    decision: Literal["approve", "reject"] | None = None
    comment: Annotated[str, Field(max_length=4000)] = ""
    fields: dict[str, Any] | None = None
    values: dict[str, Any] | None = None
    happened: bool | None = None
    output: Any = None


class EventGiven(BaseModel):
    """`id` is the sender's own: an event that comes again with it changes nothing."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {"event": "payment.received", "id": "evt-42", "data": {"order_id": 7, "amount": 25000}}
        }
    )

    event: Annotated[str, Field(min_length=1, max_length=200)]
    data: dict[str, Any] = {}
    id: Annotated[str, Field(max_length=200)] = ""


class EventTaken(BaseModel):
    """`reached` counts the waiting steps that were given the event; each decides by its own condition."""

    event: str
    reached: int
    repeated: bool
