"""`schedule-trigger`: a run that begins by the clock (`schemas/node_configs.yaml`).

The schedule itself (when it is due, what becomes of missed moments) is `workflows`' part; it reads this configuration.
Nothing here is a template: there is no run yet when the clock is read.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from engine.node import Done, Literal_, NodeConfig, Step, node
from engine.schedules import MAX_CATCH_UP, RuleProblem, read_rule

_LITERAL: dict[str, Any] = {"x-literal": True}


class Config(NodeConfig):
    cron: Literal_ | None = Field(
        default=None, description="When to run: minute, hour, day of month, month, day of week, such as '30 8 * * 1-5'."
    )
    every_seconds: Annotated[int | None, Field(json_schema_extra=_LITERAL)] = Field(
        default=None, description="Instead of cron: seconds from one run to the next."
    )
    timezone: Literal_ = Field(default="UTC", description="The time zone cron is read in, such as 'America/Chicago'.")
    misfire: Annotated[Literal["skip", "one", "all"], Field(json_schema_extra=_LITERAL)] = Field(
        default="skip",
        description="What becomes of runs missed while nothing could run: none, one for all of them, or all of them.",
    )
    max_catch_up: Annotated[int, Field(json_schema_extra=_LITERAL)] = Field(
        default=100, ge=1, le=MAX_CATCH_UP, description="How many missed runs are made up for at most: the newest ones."
    )
    inputs: Annotated[dict[str, Any], Field(json_schema_extra=_LITERAL)] = Field(
        default={}, description="The inputs each run gets, beside scheduled_for and fired_at."
    )


def check(config: Config) -> list[tuple[str, str]]:
    """What is wrong with the rule, in words."""
    try:
        read_rule(config.model_dump())
    except RuleProblem as problem:
        return [(problem.field, problem.message)]
    return []


@node("schedule-trigger", title="Schedule", config=Config, trigger=True, check=check)
def run(config: Config, step: Step) -> Done:
    """Begins the workflow when its moment comes. Run by hand, both moments are now."""
    return Done({name: _moment(step, name) for name in ("scheduled_for", "fired_at")})


def _moment(step: Step, name: str) -> str:
    given = step.inputs.get(name)
    return given if isinstance(given, str) and given else step.now
