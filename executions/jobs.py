"""An effectful step on its way: what is performed, and what the ledger knows of it."""

from __future__ import annotations

import datetime as dt
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from django.conf import settings

from engine.graph import Node
from engine.node import Done, Effect, Failed, NodeConfig, Outcome
from engine.perform import RunningStep, perform, recover, resume
from engine.ports import Ports, Unknown
from engine.scheduler import Run
from engine.waiting import Reason, Wake
from executions.claims import Claim
from executions.lines import clean
from executions.models import EffectState
from executions.records import StepRow

if TYPE_CHECKING:
    from executions.active import Active

ON_THE_LEDGER = (Effect.KEYED, Effect.UNKEYED)

WAITED_FOR = {
    Reason.DELAY: "its time",
    Reason.APPROVAL: "a decision",
    Reason.FORM: "a form to be filled in",
    Reason.EVENT: "an event",
    Reason.RUNS: "the runs it started",
    Reason.SETTLE: "somebody to say whether it took effect",
}


@dataclass(slots=True)
class Job:
    """An effectful step whose intent is recorded and whose effect is to be performed on a thread without a database.

    With `wake` it is a step that goes on after waiting, and stays recorded as waiting until it comes back.
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
        act = recover if self.recovering else perform
        return act(self.node, self.config, self.step, max_output_bytes=bound)


def note_effect(row: StepRow, outcome: Done | Failed) -> None:
    """What is known now of an effect that is on the ledger."""
    if row.effect != EffectState.INTENT:
        return
    if isinstance(outcome, Done):
        row.effect = EffectState.CONFIRMED if outcome.confirmed else EffectState.SENT
        row.receipt = clean(outcome.receipt)[:200]
    else:
        row.effect = EffectState.UNKNOWN if outcome.code == Unknown.code else EffectState.NOT_DONE


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
    )
