"""One execution in a worker's hands: its run, what happened since the last commit, and what is under way."""

from __future__ import annotations

import datetime as dt
import random
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings

from engine.graph import Graph, Node
from engine.node import Done, Effect, Failed, NodeConfig, Outcome
from engine.perform import Note, RunningStep, perform, prepare, recover, render, validate
from engine.ports import Ports
from engine.retry import delay_before_next
from engine.scheduler import Run
from executions.claims import Claim
from executions.history import run_from
from executions.journal import Checkpoint
from executions.lines import clean, kept, line_of, masked
from executions.models import ExecutionLog, ExecutionStatus, ExecutionStep, LogKind, StepStatus

STEPS_A_TURN = 1000
HUNG_AFTER = 60.0  # seconds past its timeout


@dataclass(slots=True)
class Job:
    """An effectful step whose intent is recorded and whose effect is to be performed on a thread without a database."""

    active: Active
    node: Node
    row: ExecutionStep
    config: NodeConfig
    step: RunningStep
    recovering: bool
    begun_at: float = field(default_factory=time.monotonic)

    def perform(self) -> Outcome:
        act = recover if self.recovering else perform
        return act(self.node, self.config, self.step, max_output_bytes=settings.ENGINE["max_output_bytes"])


@dataclass(slots=True)
class Active:
    """`jobs` are under way; `retries` maps a node's id to the moment (monotonic seconds) of its next attempt."""

    claim: Claim
    graph: Graph
    run: Run
    ports: Ports
    jobs: dict[str, Job] = field(default_factory=dict)
    retries: dict[str, float] = field(default_factory=dict)
    steps_taken: int = 0
    _rows: dict[str, ExecutionStep] = field(default_factory=dict)
    _effects: deque[Node] = field(default_factory=deque)
    _served_at: float = 0.0
    _new: list[ExecutionStep] = field(default_factory=list)
    _changed: dict[str, ExecutionStep] = field(default_factory=dict)
    _lines: list[ExecutionLog] = field(default_factory=list)
    _usages: list[tuple[str, Any]] = field(default_factory=list)
    _progressed: bool = False

    @classmethod
    def take_up(cls, claim: Claim, graph: Graph, about: dict[str, Any], ports: Ports) -> Active:
        """Continue from the recorded steps. Steps begun and not ended are held until `drive` recovers them."""
        run = run_from(claim.steps, graph, inputs=claim.inputs, context=claim.context, about=about)
        active = cls(claim, graph, run, ports, steps_taken=len(claim.steps))
        active._rows = {step.node_id: step for step in claim.steps}
        if claim.fresh:
            active._say(LogKind.STARTED, "Execution started.")
        return active

    @property
    def idle(self) -> bool:
        return not self.jobs and not self._effects

    @property
    def starved(self) -> bool:
        """Steps are ready to be performed and only a free thread is missing."""
        return bool(self._effects)

    @property
    def wanting(self) -> int:
        """How many threads that is."""
        return len(self._effects)

    @property
    def standing(self) -> tuple[float, ...]:
        """Who comes first for a thread: who has least under way, then who was served longest ago."""
        return (len(self.jobs), self._served_at)

    @property
    def unfinished(self) -> bool:
        """There are steps that can be taken now, without waiting for anything."""
        return self.run.has_more

    @property
    def past_deadline(self) -> bool:
        return self.claim.late

    @property
    def hung(self) -> bool:
        """A step is long past its own limit: its thread may never come back, so the lease is no longer renewed."""
        limit = time.monotonic() - HUNG_AFTER
        return any(job.begun_at + job.step.timeout < limit for job in self.jobs.values())

    def due_in(self) -> float:
        """Seconds until the earliest retry."""
        return max(0.0, min(self.retries.values()) - time.monotonic())

    def drive(self) -> None:
        """Carry out what needs no waiting, up to a turn's worth."""
        for node_id, due in list(self.retries.items()):
            if due <= time.monotonic():
                del self.retries[node_id]
                self.run.put_back(self.graph.nodes[self.graph.by_id[node_id]])
        for _ in range(STEPS_A_TURN):
            node = self.run.take()
            if node is None:
                return
            row = self._rows.get(node.id)
            if row is not None and row.status == StepStatus.WAITING and not self._is_due(node, row):
                continue
            if self.steps_taken >= settings.ENGINE["max_steps"]:
                self._settle(
                    node, row, Failed("limit", f"An execution may take {settings.ENGINE['max_steps']:,} steps."), []
                )
            elif node.type.effect is Effect.PURE:
                self._run_inline(node, row)
            else:
                self._effects.append(node)

    def begin(self, slots: int) -> list[Job]:
        """Record the intent of up to `slots` effectful steps and return them, to be performed once that is committed."""
        begun: list[Job] = []
        while self._effects and len(begun) < slots and self.run.failure is None:
            job = self._begin(self._effects.popleft())
            if job is not None:
                self.jobs[job.node.id] = job
                begun.append(job)
                self._served_at = job.begun_at
        if self.run.failure is not None:
            self._effects.clear()  # Nothing new is started once a step has failed for good.
        return begun

    def finish(self, job: Job, outcome: Outcome) -> None:
        """Take in what an effectful step came to."""
        del self.jobs[job.node.id]
        self._settle(job.node, job.row, outcome, job.step.notes)

    def checkpoint(self, *, owner: str, lease: float, release: bool = False) -> Checkpoint | None:
        """What is to be committed now, or None when nothing changed.

        With `release` nothing new is begun, and the execution is given up for another worker as soon as no step is under way.
        """
        idle = not self.jobs if release else self.idle
        ended = idle and (self.run.finished or self.run.failure is not None)
        waiting = idle and not ended and (release or (not self.run.has_ready and bool(self.retries)))
        if not (self._lines or self._new or self._changed or ended or waiting):
            return None
        checkpoint = Checkpoint(
            claim=self.claim,
            status=ExecutionStatus.RUNNING,
            progress=self.run.progress,
            delay=self._wake_in() if waiting else lease,
            owner="" if waiting else owner,
            new_steps=self._new,
            changed_steps=list(self._changed.values()),
            lines=self._lines,
            usages=self._usages,
            progressed=self._progressed or waiting or ended,
        )
        if ended:
            self._end(checkpoint)
        return checkpoint

    def committed(self) -> None:
        """The last checkpoint holds; begin the next."""
        self.claim.seq += len(self._lines)
        self._new, self._changed, self._lines, self._usages, self._progressed = [], {}, [], [], False

    # -- inside ------------------------------------------------------------------------------------------------------

    def _wake_in(self) -> float:
        """Seconds until a worker should take this up again: at once, or at the next retry, or when its time is over."""
        if self._effects or self.run.has_ready or not self.retries:
            return 0.0
        return max(0.0, min(self.due_in(), (self.claim.deadline_at - self.claim.now()).total_seconds()))

    def _is_due(self, node: Node, row: ExecutionStep) -> bool:
        wait = (row.due_at - self.claim.now()).total_seconds() if row.due_at else 0.0
        if wait > 0:
            self.retries[node.id] = time.monotonic() + wait
            return False
        return True

    def _run_inline(self, node: Node, row: ExecutionStep | None) -> None:
        moment = self.claim.now()
        attempt = row.attempt + 1 if row is not None and row.status == StepStatus.WAITING else 1
        step = self._step(node, attempt, row.started_at if row else moment)
        config = prepare(node, step.scope)
        outcome = (
            config
            if isinstance(config, Failed)
            else perform(node, config, step, max_output_bytes=settings.ENGINE["max_output_bytes"])
        )
        if row is None:
            row = self._row(node, moment)
        row.attempt = attempt
        self._settle(node, row, outcome, step.notes)

    def _begin(self, node: Node) -> Job | None:
        moment = self.claim.now()
        row = self._rows.get(node.id)
        recovering = row is not None and row.status == StepStatus.RUNNING
        attempt = 1 if row is None else row.attempt + (0 if recovering else 1)
        step = self._step(node, attempt, row.started_at if row else moment)
        rendered = render(node, step.scope)
        config = rendered if isinstance(rendered, Failed) else validate(node, rendered)
        if row is None:
            row = self._row(node, moment)
        else:
            self._changed[node.id] = row
        row.attempt, row.status, row.due_at = attempt, StepStatus.RUNNING, None
        row.error_code = row.error_message = ""
        if isinstance(config, Failed):
            self._settle(node, row, config, [])
            return None
        assert isinstance(rendered, dict), "a rendering that failed is the configuration's failure"  # noqa: S101  For the checker.
        row.input_data = kept(masked(rendered, node.settings.sensitive))
        what = (
            "continues after an interruption"
            if recovering
            else f"started (attempt {attempt})"
            if attempt > 1
            else "started"
        )
        self._say(LogKind.STEP_STARTED, f"'{node.title}' {what}.", node)
        return Job(self, node, row, config, step, recovering and node.type.effect is Effect.UNKEYED)

    def _step(self, node: Node, attempt: int, first_started: dt.datetime) -> RunningStep:
        now = first_started.astimezone(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        left = (self.claim.deadline_at - self.claim.now()).total_seconds()
        return RunningStep(
            key=f"{self.claim.id}/{node.id}/0",
            node_id=node.id,
            attempt=attempt,
            timeout=max(0.1, min(node.timeout, left)),
            scope=self.run.scope(node, now),
            ports=self.ports,
        )

    def _row(self, node: Node, moment: dt.datetime) -> ExecutionStep:
        row = ExecutionStep(
            execution_id=self.claim.id,
            node_id=node.id,
            node_name=clean(node.title)[:200],
            node_type=node.type.name,
            status=StepStatus.RUNNING,
            started_at=moment,
        )
        self._rows[node.id] = row
        self._new.append(row)
        self._progressed = True
        self.steps_taken += 1
        return row

    def _settle(self, node: Node, row: ExecutionStep | None, outcome: Outcome, notes: list[Note]) -> None:
        moment = self.claim.now()
        row = row or self._row(node, moment)
        self._progressed = True
        if row.pk is not None:
            self._changed[node.id] = row
        for note in notes:
            self._say(LogKind.NOTE, note.message, node, level=note.level, data=dict(note.data))
        if isinstance(outcome, Failed):
            delay = delay_before_next(node.settings.retry, outcome, row.attempt, random.random())  # noqa: S311  Spreads retries; no secret.
            if delay is not None and self.run.failure is None:
                self._retry_later(node, row, outcome, delay, moment)
                return
        settled = self.run.settle(node, outcome, row.started_at.astimezone(dt.UTC).isoformat().replace("+00:00", "Z"))
        row.completed_at, row.due_at = moment, None
        row.port, row.output_data = settled.port, settled.output
        row.taken = None if settled.taken is None else list(settled.taken)
        row.status = StepStatus.COMPLETED if settled.error is None else StepStatus.FAILED
        if isinstance(outcome, Done) and outcome.usage is not None:
            row.tokens, row.ai_ms = outcome.usage.total_tokens, outcome.usage.duration_ms
            row.cost_usd = round(outcome.usage.cost_usd, 6)
            self._usages.append((node.id, outcome.usage))
        if settled.error is None:
            self._say(LogKind.STEP_COMPLETED, f"'{node.title}' completed.", node)
        else:
            row.error_code, row.error_message = settled.error.code, clean(settled.error.message)
            self._say(
                LogKind.STEP_FAILED,
                f"'{node.title}' failed: {settled.error.message}",
                node,
                level="error",
                data={"code": settled.error.code, **settled.error.details},
            )

    def _retry_later(self, node: Node, row: ExecutionStep, failure: Failed, delay: float, moment: dt.datetime) -> None:
        row.status, row.due_at = StepStatus.WAITING, moment + dt.timedelta(seconds=delay)
        row.error_code, row.error_message = failure.code, clean(failure.message)
        self.retries[node.id] = time.monotonic() + delay
        self._say(
            LogKind.STEP_RETRY,
            f"'{node.title}' failed and is tried again in {delay:.1f} s "
            f"(attempt {row.attempt} of {node.settings.retry.max_attempts}): {failure.message}",
            node,
            level="warning",
            data={"code": failure.code, "delay_seconds": round(delay, 3)},
        )

    def _end(self, checkpoint: Checkpoint) -> None:
        checkpoint.delay, checkpoint.owner = None, ""
        if self.run.failure is None:
            checkpoint.status, checkpoint.output, checkpoint.progress = (
                ExecutionStatus.COMPLETED,
                self.run.result(),
                100.0,
            )
            self._say(LogKind.ENDED, "Execution completed.", status=ExecutionStatus.COMPLETED, progress=100.0)
            return
        node, failure = self.run.failure
        row = self._rows[node.id]
        checkpoint.status = ExecutionStatus.FAILED
        checkpoint.error_code = row.error_code or failure.code
        checkpoint.error_message = clean(f"'{node.title}' failed: {row.error_message or failure.message}")
        self._say(LogKind.ENDED, checkpoint.error_message, level="error", status=ExecutionStatus.FAILED)

    def _say(
        self,
        kind: LogKind,
        message: str,
        node: Node | None = None,
        *,
        level: str = "info",
        data: dict[str, Any] | None = None,
        status: ExecutionStatus = ExecutionStatus.RUNNING,
        progress: float | None = None,
    ) -> None:
        line = line_of(
            self.claim,
            len(self._lines) + 1,
            kind,
            message,
            node_id=node.id if node else None,
            level=level,
            data=data,
            status=status,
            progress=self.run.progress if progress is None else progress,
        )
        self._lines.append(line)
