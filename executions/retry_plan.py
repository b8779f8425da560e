"""What running again would do: which steps run and which are kept, what would be repeated, and what it costs.

A plan is worked out anew for every request; its version tells whether it is still the one that was looked at.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

import orjson
from django.conf import settings

from auterity.kernel.access import Actor
from auterity.kernel.errors import InvalidInput
from engine.graph import Graph, InvalidDefinition, Node
from executions import effects, gateway, keeping, services
from executions.errors import ExecutionLive, RetryRefused
from executions.keeping import Kept
from executions.ledger import ON_THE_LEDGER
from executions.models import LIVE, EffectState, Execution, ExecutionStatus, ExecutionStep, StepStatus
from executions.payloads import Payloads, shown
from workflows import services as workflows
from workflows.errors import WorkflowInactive
from workflows.models import WorkflowVersion
from workflows.plans import Plan, plan_of

PREVIEW = 200  # characters of an output
DONE = frozenset({EffectState.INTENT, EffectState.SENT, EffectState.CONFIRMED, EffectState.SETTLED_DONE})


class Mode(StrEnum):
    WHOLE = "whole"
    FAILED = "failed"
    FROM = "from"


@dataclass(frozen=True, slots=True)
class Wish:
    """How to run again. Inputs and context that are None stay what they were; `newest` is the published version."""

    mode: Mode
    node_id: str | None = None
    inputs: dict[str, Any] | None = None
    context: dict[str, Any] | None = None
    newest: bool = False


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """`action` is run, keep, or skip_unknown where its effect must be settled first. `cost_usd` is what it cost last time."""

    node_id: str
    node_name: str
    node_type: str
    action: str
    reason: str
    effect: str  # none | repeats | first_time
    effect_id: int | None
    effect_state: str
    receipt: str
    what: str
    last_output: str | None
    cost_usd: float


@dataclass(frozen=True, slots=True)
class RetryPlan:
    """Money in US dollars. `kept_cost_usd` is what the kept steps once cost, `estimated_cost_usd` what those to be run did."""

    plan_version: str
    execution_id: UUID
    mode: Mode
    workflow_version: int
    steps: list[PlannedStep]
    kept_cost_usd: float
    estimated_cost_usd: float
    warnings: list[str]

    @property
    def repeated(self) -> list[PlannedStep]:
        return [each for each in self.steps if each.action == "run" and each.effect == "repeats"]

    @property
    def unknown(self) -> list[PlannedStep]:
        return [each for each in self.steps if each.action == "skip_unknown"]


class Planning:
    """One plan in the making: what it is made from, and which records it keeps. Raises as `executions.again.plan`."""

    def __init__(self, actor: Actor, earlier: Execution, wish: Wish) -> None:
        self.earlier, self.wish = earlier, wish
        if wish.mode is not Mode.WHOLE and earlier.status in LIVE:
            raise ExecutionLive
        newest = workflows.runnable_version(actor=actor, workflow_id=earlier.workflow_id)
        self.version_id = newest if wish.newest else earlier.version_id
        self.inputs: dict[str, Any] = earlier.input_data if wish.inputs is None else wish.inputs
        self.context: dict[str, Any] = earlier.context if wish.context is None else wish.context
        services.check_inputs(self.inputs, self.context)
        self.target = _runnable(self.version_id)
        self.graph: Graph = self.target.graph
        self.rows = list(ExecutionStep.objects.filter(execution=earlier, iteration=0).order_by("id"))
        self.row_of = {row.node_id: row for row in self.rows}
        self._why: dict[str, str] = {}
        self._skipped: set[str] = set()
        self._costs = _costs(actor, self.rows)
        self.kept = self._keep()

    def plan(self) -> RetryPlan:
        kept = {each.node.id: each for each in self.kept}
        rest = [node for node in self.graph.nodes if node.id not in kept and node.id not in self._skipped]
        steps = [self._planned(each.node, each) for each in self.kept] + [self._planned(node, None) for node in rest]
        return RetryPlan(
            plan_version=self._version(steps),
            execution_id=self.earlier.id,
            mode=self.wish.mode,
            workflow_version=int(self.target.workflow["version"]),
            steps=steps,
            kept_cost_usd=_sum(each for each in steps if each.action == "keep"),
            estimated_cost_usd=_sum(each for each in steps if each.action != "keep"),
            warnings=self._warnings(),
        )

    # -- which records are kept --------------------------------------------------------------------------------------

    def _keep(self) -> list[Kept]:
        if self.wish.mode is Mode.WHOLE:
            return []
        again = keeping.behind(self.graph, self._chosen())
        for node_id in again - self._why.keys():
            self._why[node_id] = "It comes after a step that runs again."
        changed = self._changed()
        over = [row for row in self.rows if keeping.is_over(row) and row.node_id not in again | changed]
        started = (self.earlier.started_at or self.earlier.created_at).astimezone(dt.UTC)
        about: dict[str, Mapping[str, Any]] = {
            "execution": {"id": str(self.earlier.id), "started_at": started.isoformat().replace("+00:00", "Z")},
            "workflow": self.target.workflow,
            "organization": self.target.organization,
        }
        kept, run = keeping.keep(
            self.graph,
            over,
            payloads=Payloads(self.earlier.organization_id, self.earlier.id),
            inputs=self.inputs,
            context=self.context,
            about=about,
            ports=gateway.ports_of(self.earlier.organization_id),
            max_output_bytes=settings.ENGINE["max_output_bytes"],
        )
        self._skipped = set(run.skipped())
        return kept

    def _chosen(self) -> set[str]:
        if self.wish.mode is Mode.FROM:
            node_id = self.wish.node_id or ""
            if node_id not in self.graph.by_id:
                raise InvalidInput.of("node_id", "Say from which step to run again: the id of a node of that version.")
            self._why[node_id] = "You chose to begin here."
            return {node_id}
        if self.earlier.status == ExecutionStatus.COMPLETED:
            raise RetryRefused(
                "This execution completed; nothing failed. Choose a step to begin from, or run it as a whole."
            )
        unfinished = [row for row in self.rows if not keeping.is_over(row)]
        for row in unfinished:
            failed = row.status == StepStatus.FAILED
            self._why[row.node_id] = f"It failed: {row.error_message}" if failed else "It had not ended."
        return {row.node_id for row in unfinished}

    def _changed(self) -> set[str]:
        """Steps whose type or settings are not the same in the version that is run."""
        if self.version_id == self.earlier.version_id:
            return set()
        stored = WorkflowVersion.objects.of(self.earlier.organization_id)
        versions = stored.filter(id__in=(self.version_id, self.earlier.version_id)).values_list("id", "definition")
        raw = {key: {str(each["id"]): each for each in definition["nodes"]} for key, definition in versions}
        before, after = raw[self.earlier.version_id], raw[self.version_id]
        changed = {
            node.id
            for node in self.graph.nodes
            if node.id in self.row_of
            and (
                self.row_of[node.id].node_type != node.type.name
                or (before[node.id].get("config") or {}) != (after[node.id].get("config") or {})
            )
        }
        for node_id in changed - self._why.keys():
            self._why[node_id] = "Its settings are others in this version."
        return changed

    # -- what is said ------------------------------------------------------------------------------------------------

    def _planned(self, node: Node, kept: Kept | None) -> PlannedStep:
        row = self.row_of.get(node.id)
        state = row.effect if row else ""
        effect = "none"
        if kept is None and node.type.effect in ON_THE_LEDGER and not (_ended_well(row) and not state):
            effect = "repeats" if state in DONE or state == EffectState.UNKNOWN else "first_time"
        blocked = kept is None and state == EffectState.UNKNOWN
        cost = 0.0 if row is None else self._costs[row.node_id]
        return PlannedStep(
            node_id=node.id,
            node_name=node.title,
            node_type=node.type.name,
            action="skip_unknown" if blocked else "run" if kept is None or kept.anew else "keep",
            reason=self._reason(node, row, kept, blocked),
            effect=effect,
            effect_id=row.id if row and state else None,
            effect_state=state,
            receipt=row.receipt if row else "",
            what=effects.what_of(row) if row and state else "",
            last_output=_preview(row),
            cost_usd=cost,
        )

    def _reason(self, node: Node, row: ExecutionStep | None, kept: Kept | None, blocked: bool) -> str:
        if blocked:
            return "Nobody knows whether it took effect. Settle that first."
        if kept is not None:
            return "It takes the new inputs in." if kept.anew else "It is done, and its output is taken over."
        if self.wish.mode is Mode.WHOLE:
            return "Everything runs again."
        if node.id in self._why:
            return self._why[node.id]
        return "It has not run yet." if row is None else "What comes before it is no longer the same."

    def _warnings(self) -> list[str]:
        found = []
        renewed = self.inputs != self.earlier.input_data or self.context != self.earlier.context
        if renewed and any(not each.anew for each in self.kept):
            found.append(
                "What is kept was worked out with the earlier inputs; only the steps that run see the new ones."
            )
        if self.wish.node_id in self._skipped and self.wish.mode is Mode.FROM:
            found.append("The step you chose would not be reached: the conditions before it lead elsewhere.")
        if len(self.kept) + len(self._skipped) == len(self.graph.nodes):
            found.append("Nothing is left to run; the new execution would end at once.")
        return found

    def _version(self, steps: Sequence[PlannedStep]) -> str:
        """Changes with everything the plan depends on."""
        parts = [
            *(str(self.earlier.id), self.earlier.seq, self.earlier.status, str(self.version_id)),
            *(self.wish.mode, self.wish.node_id, self.inputs, self.context),
            [[each.node_id, each.action, each.effect, each.effect_state] for each in steps],
        ]
        return hashlib.sha256(orjson.dumps(parts, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)).hexdigest()


# -- inside ----------------------------------------------------------------------------------------------------------


def _runnable(version_id: UUID) -> Plan:
    try:
        return plan_of(version_id)
    except InvalidDefinition as error:
        raise WorkflowInactive(f"This version of the workflow cannot run: {error}.") from error


def _costs(actor: Actor, rows: Sequence[ExecutionStep]) -> dict[str, float]:
    """What each step cost, in US dollars; of a kept one what it cost where it ran, as long as that record is there."""
    costs = {row.node_id: float(row.cost_usd) for row in rows}
    origins = {(row.kept_from, row.node_id) for row in rows if row.kept_from is not None}
    if origins:
        found = ExecutionStep.objects.filter(
            execution__organization_id=actor.organization_id,
            execution_id__in={each for each, _ in origins},
            iteration=0,
        ).values_list("execution_id", "node_id", "cost_usd")
        costs |= {node_id: float(cost) for origin, node_id, cost in found if (origin, node_id) in origins}
    return costs


def _ended_well(row: ExecutionStep | None) -> bool:
    return row is not None and row.status == StepStatus.COMPLETED


def _preview(row: ExecutionStep | None) -> str | None:
    if row is None or row.output_data is None:
        return None
    text = orjson.dumps(shown(row.output_data), option=orjson.OPT_NON_STR_KEYS).decode()
    return text if len(text) <= PREVIEW else f"{text[:PREVIEW]}…"


def _sum(steps: Any) -> float:
    return round(sum(each.cost_usd for each in steps), 6)
