"""Shapes of the side-effect ledger."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypeAliasType

from api.auterity.moments import Moment
from api.auterity.pages import Page, PageQuery

EffectState = TypeAliasType(
    "EffectState", Literal["intent", "sent", "confirmed", "not_done", "unknown", "settled_done", "settled_not"]
)


class EffectBody(BaseModel):
    """What one step did outside. `key` went along with it (`execution/node/iteration`), so the other side knows it by it."""

    id: int
    key: str
    execution_id: UUID
    node_id: str
    node_name: str
    node_type: str
    what: Annotated[str, Field(description="Such as `POST api.example.com`; without paths, addresses and secrets.")]
    state: EffectState
    attempts: int
    receipt: Annotated[str, Field(description="The name the other side gave it, such as a message id.")]
    first_at: Moment
    last_at: Moment
    kept_from: Annotated[UUID | None, Field(description="It took place in this earlier execution.")]
    question_id: Annotated[UUID | None, Field(description="The open question by which the execution asks.")]
    settled_by: str | None
    settled_at: Moment | None
    note: str | None


class Effects(BaseModel):
    execution_id: UUID
    effects: list[EffectBody]


class EffectPage(Page):
    effects: list[EffectBody]


class EffectQuery(PageQuery):
    state: Annotated[Literal["unknown"], Field(description="The other states are read execution by execution.")] = (
        "unknown"
    )


class Settle(BaseModel):
    model_config = ConfigDict(json_schema_extra={"example": {"happened": True, "note": "It is in the outbox."}})

    happened: Annotated[bool, Field(description="Whether the effect took place.")]
    note: Annotated[str, Field(max_length=2000, description="How you know; kept in the execution's log.")] = ""
