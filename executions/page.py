"""One execution as an operator reads it: what it came to, what it waits for, and each step's time, input and output."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from accounts import markup
from executions import selectors
from executions.explain import explanation_of
from executions.models import LIVE, EffectState, Execution, ExecutionLog, ExecutionStep
from executions.selectors import StepView

STEPS = 300
LINES = 300


@dataclass(frozen=True, slots=True)
class StepLine:
    """One row of the steps table, ready to be shown. `begin` and `width` are percent of the whole run."""

    name: str
    node_id: str
    type: str
    status: str
    attempt: str
    started: str
    duration: str
    bar: SafeString
    error: str
    payloads: list[SafeString]


@dataclass(frozen=True, slots=True)
class Page:
    """What the template lays out. `facts` and `lease` are (name, value) pairs."""

    execution: Execution
    status: SafeString
    live: bool
    why: str
    facts: list[tuple[str, Any]]
    lease: list[tuple[str, Any]]
    payloads: list[SafeString]
    steps: list[StepLine]
    steps_note: SafeString | str
    lines: list[tuple[str, SafeString, str, str]]
    lines_note: SafeString | str


def page_of(execution: Execution) -> Page:
    """Reads the steps and the log, each up to a limit; beyond it the page says so and links to the whole."""
    now = timezone.now()
    steps, total = _steps(execution)
    lines = list(ExecutionLog.unscoped.filter(execution=execution).order_by("-seq")[:LINES])[::-1]
    return Page(
        execution=execution,
        status=markup.state(execution.status),
        live=execution.status in LIVE,
        why=explanation_of(execution).summary,
        facts=_facts(execution, steps, now),
        lease=_lease(execution),
        payloads=[
            markup.json_block(execution.input_data, "Input"),
            markup.json_block(execution.context or None, "Context"),
            markup.json_block(execution.output_data, "Output"),
        ],
        steps=[_line(step, execution, now) for step in steps],
        steps_note=_note("executionstep", "step", len(steps), total, execution),
        lines=[
            (markup.moment(each.created_at), markup.state(each.level), each.node_id or "", each.message)
            for each in lines
        ],
        lines_note=_note("executionlog", "line", len(lines), execution.seq, execution),
    )


def glance(execution: Execution, now: dt.datetime) -> str:
    """The same in a few words, for a list."""
    if execution.status not in LIVE or execution.due_at is None:
        return markup.NOTHING
    ahead = (execution.due_at - now).total_seconds()
    if execution.lease_owner:
        return f"held, lease {markup.span(ahead)}" if ahead > 0 else f"lease lost {markup.span(-ahead)} ago"
    return f"waits {markup.span(ahead)}" if ahead > 0 else f"due for {markup.span(-ahead)}"


def duration_of(execution: Execution, now: dt.datetime) -> float | None:
    """Seconds from the first claim to the end, or until now."""
    if execution.started_at is None:
        return None
    return ((execution.completed_at or now) - execution.started_at).total_seconds()


# -- inside ----------------------------------------------------------------------------------------------------------


def _steps(execution: Execution) -> tuple[list[StepView], int]:
    """The steps in order. Of a very long run the newest, without their payloads, so that the page stays small."""
    rows = ExecutionStep.objects.filter(execution=execution)
    total = rows.count()
    if total <= STEPS:
        steps = selectors.view_of(execution).steps
        return steps[:STEPS], max(len(steps), total)
    newest = rows.order_by("-id").defer("input_data", "output_data", "taken")[:STEPS]
    fields = [name for name in StepView.__slots__ if name not in ("input", "output")]
    return [StepView(**{name: getattr(row, name) for name in fields}) for row in reversed(newest)], total


def _line(step: StepView, execution: Execution, now: dt.datetime) -> StepLine:
    status = "waiting" if step.status in LIVE and step.due_at is not None else step.status
    began, ended = (
        step.started_at,
        step.completed_at or (now if execution.status in LIVE else execution.completed_at or now),
    )
    seconds = (ended - began).total_seconds() if began else None
    start = execution.started_at or execution.created_at
    whole = max(((execution.completed_at or now) - start).total_seconds(), 1e-6)
    after = (began - start).total_seconds() if began else 0.0
    bar = (
        markup.bar(
            100 * (seconds or 0) / whole,
            start=100 * after / whole,
            colour=markup.COLOURS.get(status, "neutral"),
            title=f"{markup.span(after)} after the start, for {markup.span(seconds)}",
        )
        if began and step.kept_from is None
        else SafeString("")
    )
    return StepLine(
        name=step.node_name,
        node_id=step.node_id,
        type=step.node_type,
        status=markup.state(status),
        attempt=str(step.attempt or markup.NOTHING),
        started=markup.moment(began),
        duration=markup.span(seconds),
        bar=bar,
        error=f"{step.error_code}: {step.error_message}" if step.error_code or step.error_message else "",
        payloads=[markup.json_block(step.input, "Input"), markup.json_block(step.output, "Output")] if began else [],
    )


def _facts(execution: Execution, steps: list[StepView], now: dt.datetime) -> list[tuple[str, Any]]:
    version = execution.version
    before = execution.rerun_of
    facts = [
        (
            "Workflow",
            format_html("{}, {}", markup.link(execution.workflow), markup.link(version, f"version {version.number}")),
        ),
        ("Organization", markup.link(execution.organization)),
        ("Accepted", markup.moment(execution.created_at)),
        ("Started", markup.moment(execution.started_at)),
        ("Ended", markup.moment(execution.completed_at)),
        ("Duration", markup.span(duration_of(execution, now))),
        ("Progress", f"{execution.progress:.0f} %, {sum(each.started_at is not None for each in steps)} steps"),
        ("Started by", markup.link(execution.created_by) if execution.created_by else markup.NOTHING),
        (
            "Repeats",
            markup.link_to("executions", "execution", before, markup.short_id(before)) if before else markup.NOTHING,
        ),
        ("AI calls", markup.listing("ai", "aiusage", "Usage of this execution", execution_id=execution.id)),
    ]
    doubts = ExecutionStep.objects.filter(execution=execution, effect=EffectState.UNKNOWN).count()
    if doubts:
        settle = markup.listing("executions", "executionstep", f"settle {doubts}", effect="unknown", q=execution.id)
        facts.append(("Effects in doubt", settle))
    if execution.webhook_url:
        facts.append(("Result goes to", markup.excerpt(execution.webhook_url, 60)))
    return facts


def _lease(execution: Execution) -> list[tuple[str, Any]]:
    return [
        ("Held by", execution.lease_owner or "nobody"),
        ("Fence", execution.fence),
        ("Due", markup.moment(execution.due_at)),
        ("Claims without progress", f"{execution.attempts} of {settings.ENGINE['poison_attempts']}"),
        ("Must end by", markup.moment(execution.deadline_at)),
    ]


def _note(model: str, noun: str, shown: int, total: int, execution: Execution) -> SafeString | str:
    if total <= shown:
        return ""
    whole = markup.listing("executions", model, f"all {total:,}", execution__id__exact=execution.id)
    return format_html("The newest {} {}s, without long values; see {}.", f"{shown:,}", noun, whole)
