"""Why an execution is where it is, as sentences over known facts. Pure: `executions.explain` looks the facts up.

Every sentence says what happens next by itself, or what somebody has to do.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings

from accounts.markup import span
from engine.waiting import Reason as Wait
from executions.models import Execution, ExecutionStatus, ExecutionStep, OpenQuestion, StepStatus, WorkflowBrake

MENDS: Mapping[str, str] = {
    "expression": "Mend the expression or the condition of this step, save, and run again from it on the newest version.",
    "config": "Mend this step's settings, or the values they are filled in with, and run again from it.",
    "rejected": "The other side said no. Mend what is sent, or the right to send it, and run again from this step.",
    "not_configured": "Set up the connection or key that the message names, and run again from this step.",
    "unavailable": "The other side was away. Run again from this step once it is back, or give the step a retry.",
    "timeout": "Give the step more time in timeout_seconds, or a retry, and run again from it.",
    "unknown_outcome": "Look at the other side, settle the effect, then run again from this step; or set on_unknown to ask.",
    "output": "The step did its work, but what it gave cannot be kept. Select less, and look whether its effect may be repeated.",
    "limit": "Divide the workflow, or let it take fewer steps.",
    "internal": "This is a defect of ours; report it with the execution's id.",
    "DEFINITION": "Mend the definition, save it, and run again on the newest version.",
    "POISON": "The workers' logs say at which step they went down. Take that step apart, then run again from it.",
}


@dataclass(frozen=True, slots=True)
class Reason:
    """`kind` is for programs, `sentence` for people; `mend` says what somebody can do about it. `details` are JSON values."""

    kind: str
    sentence: str
    node_id: str | None = None
    since: dt.datetime | None = None
    until: dt.datetime | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    mend: str | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """An open question, and how many have answered it."""

    question: OpenQuestion
    answers: int


@dataclass(slots=True)
class Facts:
    """`steps` are, of a live execution, those under way or waiting; of an ended one, what failed and what took longest.

    `limits` are seconds a step may take, `runs` the states of the runs that a step started, with their number; `workers` how
    many looked lately, and when one last did; `active` says whether the organization is; `slot` what `executions.turns` says.
    """

    execution: Execution
    now: dt.datetime
    steps: Sequence[ExecutionStep] = ()
    limits: Mapping[str, float] = field(default_factory=dict)
    matches: Mapping[str, str] = field(default_factory=dict)
    questions: Mapping[str, Asked] = field(default_factory=dict)
    runs: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    workers: tuple[int, dt.datetime | None] = (0, None)
    active: bool = True
    slot: Any = None
    paused_by: str = ""

    @property
    def is_held(self) -> bool:
        return bool(self.execution.lease_owner)

    @property
    def is_due(self) -> bool:
        return self.execution.due_at is not None and self.execution.due_at <= self.now


def live_reasons(facts: Facts) -> Iterator[Reason]:
    """Of an execution that has not ended; what matters most first."""
    execution = facts.execution
    waiting = [step for step in facts.steps if step.status == StepStatus.WAITING]
    if execution.paused_at is not None:
        yield _paused(facts)
    if facts.is_held:
        yield _lost(facts) if facts.is_due else _held(facts)
    elif facts.is_due or facts.slot is not None:
        yield _queued(facts)
    elif execution.due_at is not None and not waiting:
        ahead = span((execution.due_at - facts.now).total_seconds())
        yield Reason("due", f"It is due in {ahead}.", until=execution.due_at)
    elif execution.due_at is None and execution.paused_at is None and not waiting:
        yield Reason(
            "stuck",
            "Nobody will look at it again: it has not ended, yet no moment is set for it. Cancel it and run it again.",
            mend="Cancel it and run it again.",
        )
    yield from (_under_way(facts, step) for step in facts.steps if step.status == StepStatus.RUNNING)
    yield from sorted((_wait(facts, step) for step in waiting), key=lambda each: (each.until is None, str(each.until)))
    yield _deadline(facts)


def ended_reasons(facts: Facts) -> Iterator[Reason]:
    """Of an execution that has ended: how, and where its time went."""
    execution = facts.execution
    yield _ending(facts)
    whole = _seconds(execution.started_at, execution.completed_at)
    longest = [step for step in facts.steps if step.kept_from is None and step.completed_at is not None]
    longest.sort(key=lambda step: -_seconds(step.started_at, step.completed_at))
    for step in longest[:3]:
        took = _seconds(step.started_at, step.completed_at)
        if took > 0:
            share = f", {100 * took / whole:.0f} % of the whole" if 0 < took <= whole else ""
            details = {"seconds": round(took, 3), "attempts": step.attempt}
            told = f"'{step.node_name}' took {span(took)}{share}."
            yield Reason("time", told, step.node_id, step.started_at, step.completed_at, details)


# -- of a live execution ---------------------------------------------------------------------------------------------


def _paused(facts: Facts) -> Reason:
    execution = facts.execution
    who = facts.paused_by or "It is paused."
    under_way = " What is under way still ends." if facts.is_held else ""
    told = f"{who} It begins nothing more until it is resumed.{under_way}"
    return Reason("paused", told, since=execution.paused_at, mend="Resume it.")


def _held(facts: Facts) -> Reason:
    execution, lease = facts.execution, settings.ENGINE["lease_seconds"]
    assert execution.due_at is not None  # noqa: S101  Whoever holds it has a lease.
    busy = [f"'{step.node_name}'" for step in facts.steps if step.status == StepStatus.RUNNING]
    doing = f" and performs {', '.join(busy[:3])}{' and more' if len(busy) > 3 else ''}" if busy else ""
    left = (execution.due_at - facts.now).total_seconds()
    return Reason(
        "lease",
        f"A worker holds it{doing}; unless renewed, its lease runs out in {span(left)}.",
        since=execution.due_at - dt.timedelta(seconds=lease),
        until=execution.due_at,
        details={"owner": execution.lease_owner, "last_heartbeat": _written(execution.due_at, -lease)},
    )


def _lost(facts: Facts) -> Reason:
    execution, limit = facts.execution, settings.ENGINE["poison_attempts"]
    assert execution.due_at is not None  # noqa: S101  Whoever holds it has a lease.
    ago = span((facts.now - execution.due_at).total_seconds())
    return Reason(
        "lease",
        f"The lease of the worker that held it ran out {ago} ago without being renewed; the next free worker takes it up "
        f"(claim {execution.attempts + 1}, given up after {limit} without progress).{_looked(facts)}",
        since=execution.due_at,
        details={"owner": execution.lease_owner, "attempts": execution.attempts, "limit": limit},
        mend=None if facts.workers[0] else "Start a worker.",
    )


def _queued(facts: Facts) -> Reason:
    execution = facts.execution
    if not facts.active:
        return Reason(
            "inactive",
            "Its organization is switched off, so nobody takes its runs up; nothing is lost meanwhile.",
            since=execution.parked_at or execution.due_at,
            mend="Let an operator switch the organization on again, or cancel the execution.",
        )
    if facts.slot is not None and facts.slot.brake is not None:
        return _braked(facts, facts.slot.brake)
    if facts.slot is not None:
        slot = facts.slot
        before = "more than can be counted" if slot.ahead is None else f"{slot.ahead}"
        return Reason(
            "slot",
            f"It waits for its turn: {slot.held} of the {slot.allowed} runs that may be at work at a time are "
            f"({slot.limit}), and {before} come before it.",
            since=execution.parked_at or execution.due_at,
            details={
                "limit": str(slot.limit),
                "allowed": slot.allowed,
                "held": slot.held,
                "holders": [str(each) for each in slot.holders],
                "ahead": slot.ahead,
            },
            mend="Wait for the others to end, cancel one of them, or raise the limit.",
        )
    assert execution.due_at is not None  # noqa: S101  It is due.
    count, last = facts.workers
    due = span((facts.now - execution.due_at).total_seconds())
    return Reason(
        "pending",
        f"It has been due for {due} and no worker has claimed it.{_looked(facts)}",
        since=execution.due_at,
        details={"workers": count, "last_looked_at": _written(last) if last else None},
        mend=None if count else "Start a worker.",
    )


def _braked(facts: Facts, brake: WorkflowBrake) -> Reason:
    left = span(max(0.0, (brake.until - facts.now).total_seconds()))
    return Reason(
        "brake",
        f"Its workflow's runs are held back for another {left}: {brake.message}",
        since=brake.created_at,
        until=brake.until,
        details={"reason": brake.reason, "brake_id": str(brake.id)},
        mend="Find in the workers' logs what took them down, and mend that step. An operator can release the brake earlier.",
    )


def _looked(facts: Facts) -> str:
    count, last = facts.workers
    if last is None:
        return " No worker is there: start one."
    ago = span((facts.now - last).total_seconds())
    if not count:
        return f" No worker has looked for {ago}: are workers running?"
    return f" {count} {'worker' if count == 1 else 'workers'} looked lately, the last one {ago} ago."


def _under_way(facts: Facts, step: ExecutionStep) -> Reason:
    limit = facts.limits.get(step.node_id)
    took = (facts.now - step.started_at).total_seconds()
    over = limit is not None and step.attempt == 1 and took > limit
    allowed = f" of the {span(limit)} it may take" if limit is not None else ""
    beyond = " It is past its limit: unless it comes back, another worker takes it up." if over else ""
    attempt = f" (attempt {step.attempt})" if step.attempt > 1 else ""
    return Reason(
        "step",
        f"'{step.node_name}'{attempt} has been under way for {span(took)}{allowed}.{beyond}",
        step.node_id,
        step.started_at,
        None if limit is None or step.attempt > 1 else step.started_at + dt.timedelta(seconds=limit),
        {"attempt": step.attempt, "limit_seconds": limit, "hung": over, "effect": step.effect},
    )


def _wait(facts: Facts, step: ExecutionStep) -> Reason:
    asked = facts.questions.get(step.node_id)
    until = step.due_at
    when = f" for another {span(max(0.0, (until - facts.now).total_seconds()))}" if until is not None else ""
    if not step.waits_for:
        if not step.error_message:
            return Reason("retry", f"'{step.node_name}' is begun next.", step.node_id, step.started_at, until)
        told = f"It waits{when} for the next attempt of '{step.node_name}', whose attempt {step.attempt} failed: "
        details = {"attempt": step.attempt, "error_code": step.error_code, "last_error": step.error_message}
        return Reason("retry", told + step.error_message[:300], step.node_id, step.started_at, until, details)
    if step.waits_for == Wait.RUNS:
        runs = facts.runs.get(step.node_id, {})
        states = ", ".join(f"{count} {state}" for state, count in sorted(runs.items())) or "none is there yet"
        told = f"'{step.node_name}' waits for the runs it started: {states}."
        mend = "Ask for the explanation of those that are not completed; each says what it waits for."
        return Reason("runs", told, step.node_id, step.started_at, until, {"runs": dict(runs)}, mend)
    if step.waits_for == Wait.PACE:
        told = f"'{step.node_name}' waits{when} for its turn: whoever started this run asks models as often as one may."
        return Reason("pace", told, step.node_id, step.started_at, until)
    if asked is None:
        told = f"'{step.node_name}' waits{when}." if when else f"'{step.node_name}' waits."
        return Reason(step.waits_for, told, step.node_id, step.started_at, until)
    return _asking(facts, step, asked, when)


def _asking(facts: Facts, step: ExecutionStep, asked: Asked, when: str) -> Reason:
    question = asked.question
    details: dict[str, Any] = {"question_id": str(question.id), "answers": asked.answers}
    if step.waits_for == Wait.EVENT:
        match = facts.matches.get(step.node_id, "")
        such = f" for which {match}" if match else ""
        told = f"'{step.node_name}' waits{when} for the event '{question.event}'{such}."
        details |= {"event": question.event, "match": match}
        mend = f"Let the other system send it to POST /api/events, with '{question.event}' as its event."
        return Reason("event", told, step.node_id, question.created_at, step.due_at, details, mend)
    people = [each["email"] for each in question.people]
    who = ", ".join(
        [*people[:5], *(["others"] if len(people) > 5 else []), *(f"any {each}" for each in question.roles)]
    )
    who = "anybody with the link" if question.public else who or "somebody"
    what = {Wait.APPROVAL: "to decide", Wait.FORM: "to fill in its form"}.get(
        Wait(step.waits_for), "to say whether it took effect"
    )
    told = f"'{step.node_name}' waits{when} for {who} {what}; {asked.answers or 'nobody'} answered so far."
    details |= {"people": people, "roles": list(question.roles), "public": question.public, "title": question.title}
    return Reason(step.waits_for, told, step.node_id, question.created_at, step.due_at, details, "Answer the question.")


def _deadline(facts: Facts) -> Reason:
    execution = facts.execution
    left = (execution.deadline_at - facts.now).total_seconds()
    if left <= 0:
        told = f"Its time was over {span(-left)} ago; the next worker that looks ends it."
    elif execution.waiting_since is not None:
        told = f"It may take {span(left)} more; the time it waits does not count."
    else:
        told = f"It must end within {span(left)}."
    return Reason("deadline", told, until=execution.deadline_at)


# -- of an ended execution -------------------------------------------------------------------------------------------


def _ending(facts: Facts) -> Reason:
    execution = facts.execution
    whole = _seconds(execution.started_at, execution.completed_at)
    ended: dict[str, Any] = {"since": execution.completed_at}
    if execution.status == ExecutionStatus.COMPLETED:
        return Reason("completed", f"It completed in {span(whole)}.", **ended)
    if execution.status == ExecutionStatus.CANCELLED:
        return Reason("cancelled", execution.error_message or "It was cancelled.", **ended)
    if execution.status == ExecutionStatus.TIMEOUT:
        mend = "Give the workflow more time in settings.timeout_seconds, or find out below what took it."
        cut = [step.node_id for step in facts.steps if step.status == StepStatus.CANCELLED]
        return Reason("deadline", execution.error_message, details={"under_way": cut}, mend=mend, **ended)
    code = execution.error_code
    step = next((step for step in facts.steps if step.status == StepStatus.FAILED and not step.port), None)
    details = {"code": code, "attempts": step.attempt if step else None, "effect": step.effect if step else ""}
    kind = "poison" if code == "POISON" else "failed"
    told = f"It failed. {execution.error_message}".strip()
    return Reason(kind, told, step.node_id if step else None, details=details, mend=MENDS.get(code), **ended)


def _seconds(start: dt.datetime | None, end: dt.datetime | None) -> float:
    return max(0.0, (end - start).total_seconds()) if start and end else 0.0


def _written(moment: dt.datetime, seconds: float = 0.0) -> str:
    moved = (moment + dt.timedelta(seconds=seconds)).astimezone(dt.UTC)
    return moved.isoformat(timespec="milliseconds").replace("+00:00", "Z")
