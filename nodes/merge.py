"""`merge`: several ways become one again (`schemas/node_configs.yaml`)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from engine.node import Done, NodeConfig, Outcome, Step, node


class Config(NodeConfig):
    mode: Literal["wait_all", "first"] = Field(
        default="wait_all",
        description="Go on when every way that was taken has arrived, or with the first one; the others then end here.",
        json_schema_extra={"x-literal": True},
    )
    combine: Literal["map", "list"] = Field(
        default="map", description="A map by target port (else by the id of the node before), or a list of the values."
    )


@node("merge", title="Merge", config=Config, gathers=True, eager=lambda config: config.mode == "first")
def run(config: Config, step: Step) -> Outcome:
    """Hands on what the ways before it brought, as a map or a list: all of them, or the first to arrive."""
    return Done(step.input if config.combine == "map" else list(step.input.values()))
