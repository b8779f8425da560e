"""An effectful step on its way: what is performed, and what the ledger knows of it."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django.conf import settings

from engine.graph import Node
from engine.node import Done, Effect, NodeConfig, Outcome
from engine.perform import RunningStep, perform, recover, resume
from engine.ports import Ports, Unknown
from engine.scheduler import Run
from engine.waiting import Reason, Wait, Wake
from executions.claims import Claim
from executions.lines import clean
from executions.models import EffectState, StepStatus
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
        looks = self.recovering and self.node.type.effect_of(self.config) is Effect.UNKEYED
        act = recover if looks else perform
        return act(self.node, self.config, self.step, max_output_bytes=bound)


def doubt_interrupted(rows: Iterable[StepRow]) -> None:
    """Of steps that were under way when their worker vanished nobody knows what became, until that is found out."""
    for row in rows:
        if row.status == StepStatus.RUNNING and row.effect == EffectState.INTENT:
            row.effect = EffectState.UNKNOWN


def begin_effect(row: StepRow, node: Node, config: NodeConfig, recovering: bool) -> None:
    """Put what is about to be done on the ledger. While an earlier attempt is in doubt it stays so, unless it is looked up."""
    effect = node.type.effect_of(config)
    looked_up = recovering and effect is Effect.UNKEYED and config.on_unknown != "retry"
    if (effect in ON_THE_LEDGER or row.effect) and (row.effect != EffectState.UNKNOWN or looked_up):
        row.effect = EffectState.INTENT


def note_effect(row: StepRow, outcome: Outcome) -> None:
    """What is known now of an effect that is on the ledger. A failure tells nothing of an earlier attempt that is in doubt."""
    if row.effect not in (EffectState.INTENT, EffectState.UNKNOWN):
        return
    if isinstance(outcome, Done):
        row.effect = EffectState.CONFIRMED if outcome.confirmed else EffectState.SENT
        row.receipt = clean(outcome.receipt)[:200]
    elif isinstance(outcome, Wait):  # What it had to do before it could wait is done.
        row.effect = EffectState.UNKNOWN if outcome.reason is Reason.SETTLE else EffectState.CONFIRMED
    elif outcome.code == "output":  # It was done, only what it gave cannot be kept.
        row.effect = EffectState.CONFIRMED
    elif outcome.code in (Unknown.code, "internal"):
        row.effect = EffectState.UNKNOWN
    elif row.effect == EffectState.INTENT:
        row.effect = EffectState.NOT_DONE


def settled_line(title: str, who: str, happened: bool, note: str) -> tuple[str, dict[str, Any]]:
    """What the journal says, and keeps as data, when people settle what became of an effect."""
    told = f"{who} says that '{title}' did {'' if happened else 'not '}happen{': ' + note if note else '.'}"
    return told, {"settled_by": who, "happened": happened, "note": note}


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
