"""`merge`: several ways become one again (`schemas/node_configs.yaml`)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from engine.node import Done, NodeConfig, Outcome, Step, node
from nodes.settings.checks import Problems


class Config(NodeConfig):
    mode: Literal["wait_all", "first"] = Field(
        default="wait_all", description="Go on when every way that was taken has arrived."
    )
    combine: Literal["map", "list"] = Field(
        default="map", description="A map by target port (else by the id of the node before), or a list of the values."
    )


def check(config: Config) -> Problems:
    if config.mode == "first":
        return [("mode", "Going on with the first arrival comes later; use wait_all.")]
    return []


@node("merge", title="Merge", config=Config, check=check, gathers=True)
def run(config: Config, step: Step) -> Outcome:
    """Waits for every way that was taken and hands on what they brought, as a map or a list."""
    return Done(step.input if config.combine == "map" else list(step.input.values()))
