"""`sub-workflow`: another workflow as one step (`schemas/node_configs.yaml`)."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from engine.house_ports import NewRun
from engine.node import Done, Effect, Failed, NodeConfig, Outcome, Step, node
from engine.waiting import Reason, Wait, Wake
from nodes.settings.checks import Problems, named_workflow
from nodes.settings.text import Text


class Config(NodeConfig):
    workflow_id: Text = Field(description="The id of the workflow that is run.")
    version: int | Literal["published"] = Field(
        default="published", description="The number of a version, or the one that is published when the step begins."
    )
    inputs: dict[str, Any] | None = Field(
        default=None, description="What the run gets as its inputs; without it, what arrives at this step."
    )
    wait: bool = Field(default=True, description="Whether this step waits for the run's end and hands on its output.")


def check(config: Config) -> Problems:
    wrong = named_workflow(config.workflow_id)
    return [("workflow_id", wrong)] if wrong else []


def resume(config: Config, step: Step, wake: Wake) -> Outcome:
    found = step.ports.runs.ended(step.key, step.attempt)
    if not found:
        return Wait(Reason.RUNS, wake.left)
    run = found[0]
    if run.status == "completed":
        return Done(run.output)
    return Failed("rejected", f"The run it started ended as {run.status}: {run.error}", {"execution_id": run.id})


@node(
    "sub-workflow",
    title="Sub-workflow",
    config=Config,
    effect=Effect.REPEATABLE,
    check=check,
    resume=resume,
    starts_runs=True,
)
def run(config: Config, step: Step) -> Outcome:
    """Runs another workflow of the organization and hands on its output."""
    inputs = config.inputs if config.inputs is not None else step.input
    if not isinstance(inputs, dict):
        inputs = {"input": inputs}
    version = config.version if isinstance(config.version, int) else None
    run = NewRun(0, inputs, config.workflow_id, version, detached=not config.wait)
    [identity] = step.ports.runs.start(step.key, step.attempt, [run])
    return Wait(Reason.RUNS) if config.wait else Done({"execution_id": identity})
