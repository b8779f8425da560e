"""Shapes of running again: what is asked for, and the plan that says what would run and what would be repeated."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypeAliasType

RetryMode = TypeAliasType("RetryMode", Literal["whole", "failed", "from"])
PlannedAction = TypeAliasType("PlannedAction", Literal["run", "keep", "skip_unknown"])
PlannedEffect = TypeAliasType("PlannedEffect", Literal["none", "repeats", "first_time"])
RetryVersion = TypeAliasType("RetryVersion", Literal["same", "newest"])


class RetryWish(BaseModel):
    """`failed` goes on from what failed or had not ended; `from` begins at `node_id`. What is left out stays what it was."""

    model_config = ConfigDict(json_schema_extra={"example": {"mode": "failed", "version": "newest"}})

    mode: RetryMode
    node_id: Annotated[str | None, Field(max_length=100, description="With the mode `from`.")] = None
    input_data: dict[str, Any] | None = None
    context: dict[str, Any] | None = None
    version: Annotated[RetryVersion, Field(description="`newest` is the published version.")] = "same"


class Retry(RetryWish):
    plan_version: Annotated[
        str | None,
        Field(max_length=64, description="Of the plan that was looked at; refused when a fresh plan differs."),
    ] = None


class PlannedStepBody(BaseModel):
    """`skip_unknown`: nobody knows whether it took effect, so nothing runs until that is settled."""

    node_id: str
    node_name: str
    node_type: str
    action: PlannedAction
    reason: str
    effect: PlannedEffect
    effect_id: int | None
    effect_state: str
    receipt: str
    what: str
    last_output_preview: str | None
    cost_usd: Annotated[float, Field(description="What it cost last time, in US dollars.")]


class RetryPlanBody(BaseModel):
    plan_version: str
    execution_id: UUID
    mode: RetryMode
    workflow_version: int
    steps: list[PlannedStepBody]
    effects_repeated: Annotated[list[PlannedStepBody], Field(description="Steps whose effect took place already.")]
    unknown_effects: Annotated[list[PlannedStepBody], Field(description="To be settled before anything runs.")]
    kept_cost_usd: Annotated[float, Field(description="What the kept steps cost, and is not spent again.")]
    estimated_cost_usd: Annotated[
        float, Field(description="What the steps that run cost last time; what never ran is not in it.")
    ]
    warnings: list[str]
