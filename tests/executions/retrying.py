"""Executions that failed, and running them again: plans, retries, and an effect that counts."""

from __future__ import annotations

from collections import Counter
from typing import Any

from auterity.kernel.access import Actor
from engine.node import Done, Outcome
from engine.ports import Rejected, Usage
from executions import again
from executions.models import Execution
from executions.retry_plan import Mode, RetryPlan, Wish
from tests.executions.support import ended, flow, start
from workflows import services as workflows
from workflows.models import Workflow
from workflows.services import WorkflowChange

FAILED = Wish(Mode.FAILED)


class Calls:
    """An effect that counts by node, and goes wrong at the nodes it is told to."""

    def __init__(self) -> None:
        self.made: Counter[str] = Counter()
        self.wrong: dict[str, Any] = {}

    def __call__(self, config: Any, step: Any) -> Outcome:
        self.made[step.node_id] += 1
        if step.node_id in self.wrong:
            raise self.wrong[step.node_id]
        usage = Usage("p", "m", prompt_tokens=5, cost_usd=0.25)
        return Done({"from": step.node_id, "saw": config.value}, receipt=f"r-{step.node_id}", usage=usage)


CHAIN = {"begin": "start", "a": "call", "b": "call", "c": "call"}
LINES = ("begin > a", "a > b", "b > c")


def chain(**config: Any) -> dict[str, Any]:
    nodes: dict[str, Any] = {**CHAIN, **{name: ("call", {"value": value}) for name, value in config.items()}}
    return flow(nodes, *LINES)


def broken(
    actor: Actor, calls: Calls, definition: dict[str, Any] | None = None, at: str = "b", **more: Any
) -> Execution:
    """An execution that failed at one step."""
    calls.wrong[at] = Rejected("No.")
    failed = ended(start(actor, definition or chain(), **more))
    assert failed.status == "failed"
    calls.wrong.clear()
    calls.made.clear()
    return failed


def plan(actor: Actor, execution: Execution, wish: Wish = FAILED) -> RetryPlan:
    return again.plan(actor=actor, execution_id=execution.id, wish=wish)


def retry(actor: Actor, execution: Execution, wish: Wish = FAILED, **more: Any) -> Execution:
    return again.retry(actor=actor, execution_id=execution.id, wish=wish, **more)


def actions(found: RetryPlan) -> dict[str, tuple[str, str]]:
    return {each.node_id: (each.action, each.effect) for each in found.steps}


def changed(actor: Actor, workflow: Workflow, definition: dict[str, Any]) -> None:
    workflows.update_workflow(actor=actor, workflow_id=workflow.id, change=WorkflowChange(definition=definition))
