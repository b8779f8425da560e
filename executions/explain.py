"""Why an execution is where it is: the facts looked up in two to four small queries, the sentences in `executions.reasons`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Count, DurationField, ExpressionWrapper, F, Q
from django.utils import timezone

from engine.graph import InvalidDefinition, Node
from engine.waiting import ANSWERED
from engine.waiting import Reason as Wait
from executions.models import LIVE, Execution, ExecutionLog, ExecutionStep, LogKind, OpenQuestion, StepStatus
from executions.presence import workers_lately
from executions.reasons import Asked, Facts, Reason, ended_reasons, live_reasons
from executions.turns import slot_of
from workflows.plans import plan_of

SHOWN = 100  # steps under way or waiting that are told of
_HEAVY = ("input_data", "output_data", "taken", "state")


@dataclass(frozen=True, slots=True)
class Explanation:
    """`summary` is one plain sentence: the first of the reasons."""

    execution_id: UUID
    status: str
    summary: str
    reasons: list[Reason]


def explanation_of(execution: Execution) -> Explanation:
    """The caller has proved that it may see this execution."""
    if execution.status in LIVE:
        reasons = list(live_reasons(_live_facts(execution)))
    else:
        reasons = list(ended_reasons(_ended_facts(execution)))
    return Explanation(execution.id, execution.status, reasons[0].sentence, reasons)


# -- inside ----------------------------------------------------------------------------------------------------------


def _live_facts(execution: Execution) -> Facts:
    open_ones = ExecutionStep.objects.filter(
        execution=execution, status__in=(StepStatus.RUNNING, StepStatus.WAITING)
    ).order_by("id")
    facts = Facts(execution, timezone.now(), list(open_ones.defer(*_HEAVY)[:SHOWN]))
    facts.questions = _questions(execution, facts.steps)
    nodes = _nodes(execution, facts.steps)
    facts.limits = {node.id: node.timeout for node in nodes}
    facts.matches = {node.id: str(getattr(node.settings, "match", None) or "") for node in nodes}
    if execution.paused_at is not None:
        facts.paused_by = _paused_by(execution)
        return facts
    facts.runs = _runs(execution, facts.steps)
    if facts.is_due or execution.parked_at is not None:
        facts.workers = workers_lately(facts.now)
        facts.active = execution.organization.is_active
        facts.slot = None if facts.is_held else slot_of(execution)
    return facts


def _ended_facts(execution: Execution) -> Facts:
    rows = ExecutionStep.objects.filter(execution=execution).defer(*_HEAVY)
    took = ExpressionWrapper(F("completed_at") - F("started_at"), output_field=DurationField())
    longest = list(
        rows.filter(kept_from=None, completed_at__isnull=False).annotate(took=took).order_by("-took", "id")[:3]
    )
    broken = rows.filter(Q(status=StepStatus.FAILED, port="") | Q(status=StepStatus.CANCELLED)).order_by("id")[:SHOWN]
    steps = {row.id: row for row in (*broken, *longest)}
    return Facts(execution, timezone.now(), list(steps.values()))


def _questions(execution: Execution, steps: Iterable[ExecutionStep]) -> dict[str, Asked]:
    asking = [step.node_id for step in steps if step.waits_for in ANSWERED]
    if not asking:
        return {}
    found = OpenQuestion.objects.of(execution.organization_id).filter(
        execution=execution, node_id__in=asking, closed_at=None
    )
    return {each.node_id: Asked(each, each.given) for each in found.annotate(given=Count("answers")).order_by("id")}


def _runs(execution: Execution, steps: Iterable[ExecutionStep]) -> Mapping[str, Mapping[str, int]]:
    if not any(step.waits_for == Wait.RUNS for step in steps):
        return {}
    started = Execution.objects.of(execution.organization_id).filter(parent_id=execution.id)
    found: dict[str, dict[str, int]] = defaultdict(dict)
    for node_id, status, count in started.values_list("parent_node", "status").annotate(count=Count("id")):
        found[node_id][status] = count
    return found


def _paused_by(execution: Execution) -> str:
    lines = ExecutionLog.objects.of(execution.organization_id).filter(execution=execution, kind=LogKind.PAUSED)
    return lines.order_by("-seq").values_list("message", flat=True).first() or ""


def _nodes(execution: Execution, steps: Iterable[ExecutionStep]) -> list[Node]:
    """The graph's nodes of some steps; the plan is in memory unless nobody asked for it lately."""
    wanted = [step.node_id for step in steps]
    if not wanted:
        return []
    try:
        graph = plan_of(execution.version_id).graph
    except InvalidDefinition:
        return []
    return [graph.nodes[graph.by_id[each]] for each in wanted if each in graph.by_id]
