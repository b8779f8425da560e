"""What is known of a step's effect, as it is begun, interrupted, ended and settled. Pure: rows change, nothing is stored here."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from engine.graph import Node
from engine.node import Done, Effect, NodeConfig, Outcome
from engine.ports import Unknown
from engine.waiting import Reason, Wait
from executions.lines import clean
from executions.models import EffectState, StepStatus
from executions.records import StepRow

ON_THE_LEDGER = (Effect.KEYED, Effect.UNKEYED)


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
        if outcome.reason is Reason.PACE:
            return
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
