"""An effectful step on its way: what is performed, and what the ledger knows of it."""

from __future__ import annotations

import datetime as dt
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django.conf import settings

from ai import pace
from auterity.kernel.errors import DomainError
from engine.graph import Node
from engine.node import Done, Effect, Failed, NodeConfig, Outcome
from engine.perform import RunningStep, perform, recover, resume
from engine.ports import Ports
from engine.scheduler import Run
from engine.waiting import Reason, Wait, Wake
from executions.claims import Claim
from executions.payloads import Payloads
from executions.records import StepRow

if TYPE_CHECKING:
    from executions.active import Active

WAITED_FOR = {
    Reason.DELAY: "its time",
    Reason.APPROVAL: "a decision",
    Reason.FORM: "a form to be filled in",
    Reason.EVENT: "an event",
    Reason.RUNS: "the runs it started",
    Reason.PACE: "its turn to ask a model",
    Reason.SETTLE: "somebody to say whether it took effect",
}


@dataclass(slots=True)
class Job:
    """An effectful step whose intent is recorded and whose effect is to be performed on a thread without a database.

    With `wake` it is a step that goes on after waiting, and stays recorded as waiting until it comes back. A `recovering` one
    was begun by a worker that vanished.
    """

    active: Active
    node: Node
    row: StepRow
    config: NodeConfig
    step: RunningStep
    recovering: bool = False
    wake: Wake | None = None
    begun_at: float = field(default_factory=time.monotonic)

    def perform(self) -> Outcome:
        bound = settings.ENGINE["max_output_bytes"]
        if self.wake is not None:
            return resume(self.node, self.config, self.step, self.wake, max_output_bytes=bound)
        if self.node.type.asks_ai and not self.recovering:
            seconds = pace.seconds_to_wait(self.active.claim.created_by)
            if seconds:
                return Wait(Reason.PACE, seconds)
        looks = self.recovering and self.node.type.effect_of(self.config) is Effect.UNKEYED
        act = recover if looks else perform
        return act(self.node, self.config, self.step, max_output_bytes=bound)


def running_step(
    claim: Claim, run: Run, node: Node, attempt: int, first_started: dt.datetime, ports: Ports
) -> RunningStep:
    """What the node sees: its moment is when the step first began, and its time ends with the execution's."""
    now = first_started.astimezone(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    left = (claim.deadline_at - claim.now()).total_seconds()
    return RunningStep(
        key=f"{claim.id}/{node.id}/0",
        node_id=node.id,
        attempt=attempt,
        timeout=max(0.1, min(node.timeout, left)),
        scope=run.scope(node, now),
        ports=ports,
        first=not node.incoming,
        held=lambda: claim.held,
    )


def keep_output(payloads: Payloads, node: Node, outcome: Done | Failed) -> tuple[Done | Failed, Any]:
    """The outcome, and the stored form of an output that is kept elsewhere (else None)."""
    if not isinstance(outcome, Done):
        return outcome, None
    try:
        stored = payloads.keep(outcome.output, key=f"{node.id}/0")
    except DomainError as error:
        return Failed("output", f"The step's output could not be kept: {error.message}"), None
    return outcome, None if stored is outcome.output else stored


def keep_result(payloads: Payloads, output: Any) -> Any:
    """The stored form of an execution's output. One that cannot be kept does not undo what the run has done."""
    try:
        return payloads.keep(output, key="output")
    except DomainError as error:
        return {"omitted": f"The output could not be kept: {error.message} Each step's own output is kept."}
