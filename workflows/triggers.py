"""Schedules in step with their workflow's published version: called in the transaction that changes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils import timezone
from pydantic import ValidationError

from engine.graph import Problem
from engine.registry import NODES
from engine.schedules import Rule, RuleProblem, next_after, read_rule
from workflows.errors import DefinitionRefused
from workflows.models import Schedule, Workflow

SCHEDULE = "schedule-trigger"


@dataclass(frozen=True, slots=True)
class _Wanted:
    rule: Rule
    inputs: dict[str, Any]


def sync(workflow: Workflow, definition: Mapping[str, Any]) -> None:
    """Bring the workflow's schedules in line with its published definition and its state.

    A schedule whose times did not change keeps the moment it is due; one that is new, changed or switched on again counts
    from now, so that nothing is made up for the time it was off. Of a workflow that is off or deleted nothing is due.
    Raises `DefinitionRefused` when an active workflow has a schedule that cannot be read.
    """
    active = workflow.is_active and workflow.deleted_at is None
    wanted = _schedules(definition, must_run=active)
    rows = Schedule.objects.of(workflow.organization_id).filter(workflow=workflow)
    # Locked: a worker that fires one right now moves its due moment first.
    stored = {row.node_id: row for row in rows.select_for_update().order_by("id")}
    for node_id, row in stored.items():
        if node_id in wanted:
            _follow(row, wanted[node_id], active=active)
        elif row.due_at is not None:
            row.due_at = None
            row.save(update_fields=["due_at"])
    for node_id, each in wanted.items():
        if node_id not in stored:
            Schedule(
                organization_id=workflow.organization_id,
                workflow=workflow,
                node_id=node_id,
                rule=each.rule.as_dict(),
                inputs=each.inputs,
                due_at=next_after(each.rule, timezone.now()) if active else None,
            ).save(force_insert=True)


def _follow(row: Schedule, wanted: _Wanted, *, active: bool) -> None:
    due = row.due_at if active else None
    if active and (due is None or _timing(row.rule) != _timing(wanted.rule.as_dict())):
        due = next_after(wanted.rule, timezone.now())
    if (row.rule, row.inputs, row.due_at) != (wanted.rule.as_dict(), wanted.inputs, due):
        row.rule, row.inputs, row.due_at = wanted.rule.as_dict(), wanted.inputs, due
        row.save(update_fields=["rule", "inputs", "due_at"])


def _timing(rule: Mapping[str, Any]) -> list[Any]:
    """What decides the moments, without what becomes of missed ones."""
    return [rule.get(name) for name in ("cron", "every_seconds", "timezone")]


def _schedules(definition: Mapping[str, Any], *, must_run: bool) -> dict[str, _Wanted]:
    """What each `schedule-trigger` node asks for, by its id."""
    found: dict[str, _Wanted] = {}
    problems: list[Problem] = []
    for node in definition.get("nodes", []):
        if node.get("type") != SCHEDULE:
            continue
        try:
            settings = NODES.get(SCHEDULE).config.model_validate(dict(node.get("config") or {})).model_dump()
            found[str(node["id"])] = _Wanted(read_rule(settings), settings["inputs"])
        except (ValidationError, RuleProblem) as error:
            field = f"config.{error.field}" if isinstance(error, RuleProblem) else "config"
            sentence = (
                error.message
                if isinstance(error, RuleProblem)
                else "A schedule is read before there is a run, so its settings cannot be templates."
            )
            problems.append(Problem(sentence, node=str(node["id"]), field=field))
    if problems and must_run:
        raise DefinitionRefused(problems)
    return found
