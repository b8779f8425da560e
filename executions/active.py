"""One execution in a worker's hands: its run, what is under way, and what waits."""

from __future__ import annotations

import datetime as dt
import random
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings

from engine.graph import Graph, Node
from engine.node import Done, Effect, Failed, Outcome
from engine.perform import Note, RunningStep, perform, prepare, render, resume, validate
from engine.ports import Ports
from engine.retry import delay_before_next
from engine.scheduler import Run
from engine.waiting import Reason, Wait, Wake
from executions.claims import Claim, Standing
from executions.clocks import Clocks
from executions.history import run_from
from executions.jobs import WAITED_FOR, Job, keep_output, keep_result, running_step
from executions.journal import Checkpoint
from executions.ledger import begin_effect, doubt_interrupted, note_effect, settled_line
from executions.lines import clean, kept, masked
from executions.models import EffectState, ExecutionStatus, LogKind, StepStatus
from executions.payloads import LazyOutputs, Payloads
from executions.records import QuestionRow, StepRow
from executions.unsaved import Unsaved

STEPS_A_TURN = 1000
HUNG_AFTER = 60.0  # seconds past its timeout
EARLY = 0.005  # seconds before its time at which a waiting step may go on


@dataclass(slots=True)
class Active:
    """`jobs` are under way; `clocks` say when the steps that rest are looked at again."""

    claim: Claim
    graph: Graph
    run: Run
    ports: Ports
    unsaved: Unsaved
    payloads: Payloads
    jobs: dict[str, Job] = field(default_factory=dict)
    clocks: Clocks = field(default_factory=Clocks)
    steps_taken: int = 0
    _rows: dict[str, StepRow] = field(default_factory=dict)
    _effects: deque[Node] = field(default_factory=deque)
    _news: set[str] = field(default_factory=set)  # waiting steps for which something came
    _served_at: float = 0.0

    @classmethod
    def take_up(cls, claim: Claim, graph: Graph, about: dict[str, Any], ports: Ports) -> Active:
        """Continue from the recorded steps. Steps begun and not ended are held until `drive` recovers them."""
        payloads = Payloads(claim.organization_id, claim.id)
        outputs = LazyOutputs(payloads, claim.steps)
        run = run_from(claim.steps, graph, inputs=claim.inputs, context=claim.context, about=about, outputs=outputs)
        active = cls(claim, graph, run, ports, Unsaved(claim, run), payloads, steps_taken=len(claim.steps))
        doubt_interrupted(claim.steps)
        active._rows = {step.node_id: step for step in claim.steps}
        active._news = {each for each, step in active._rows.items() if step.waits_for}
        if claim.fresh:
            active.unsaved.say(LogKind.STARTED, "Execution started.")
        return active

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
        return self.run.has_more and not self.claim.paused

    @property
    def hung(self) -> bool:
        """A step is long past its own limit: its thread may never come back, so the lease is no longer renewed."""
        limit = time.monotonic() - HUNG_AFTER
        return any(job.begun_at + job.step.timeout < limit for job in self.jobs.values())

    def notice(self, standing: Standing, questions: dict[str, QuestionRow]) -> None:
        """Take in what came from outside: answers, ended child runs, pause and resume."""
        if standing.paused != self.claim.paused:
            kind, word = (LogKind.PAUSED, "paused") if standing.paused else (LogKind.RESUMED, "resumed")
            self.unsaved.say(kind, f"Execution {word}.")
        self.claim.signals, self.claim.paused = standing.signals, standing.paused
        unsaved = {each.node_id for each in self.unsaved.questions}
        self.claim.questions |= {node_id: each for node_id, each in questions.items() if node_id not in unsaved}
        for node_id in self.clocks.take_waiting():
            self._news.add(node_id)
            self.run.put_back(self.graph.nodes[self.graph.by_id[node_id]])

    def drive(self) -> None:
        """Carry out what needs no waiting, up to a turn's worth."""
        if self.claim.paused:
            return
        for node_id in self.clocks.take_due():
            self.run.put_back(self.graph.nodes[self.graph.by_id[node_id]])
        for _ in range(STEPS_A_TURN):
            node = self.run.take()
            if node is None:
                return
            row = self._rows.get(node.id)
            if row is not None and row.status == StepStatus.WAITING and not self._goes_on(node, row):
                continue
            if self.steps_taken >= settings.ENGINE["max_steps"]:
                limit = Failed("limit", f"An execution may take {settings.ENGINE['max_steps']:,} steps.")
                self._settle(node, row, limit, [])
            elif node.effect is Effect.PURE:
                self._run_inline(node, row)
            else:
                self._effects.append(node)

    def begin(self, slots: int) -> list[Job]:
        """Record the intent of up to `slots` effectful steps and return them, to be performed once that is committed."""
        begun: list[Job] = []
        slots = 0 if self.claim.paused else slots
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

    def shelve(self, job: Job) -> None:
        """A step whose intent is recorded is not performed after all, because the execution was paused meanwhile."""
        del self.jobs[job.node.id]
        if job.wake is None and not job.recovering:  # Else it stays to be recovered.
            row = job.row
            row.status, row.due_at, row.attempt = StepStatus.WAITING, self.claim.now(), row.attempt - 1
            row.effect = EffectState.NOT_DONE if row.effect == EffectState.INTENT else row.effect
            self.unsaved.touch(row)
        self.clocks.retry(job.node.id, 0.0)

    def checkpoint(self, *, owner: str, lease: float, release: bool = False) -> Checkpoint | None:
        """What is to be committed now, or None when nothing changed.

        With `release`, or paused, nothing new is begun, and the execution is given up as soon as no step is under way.
        """
        release = release or self.claim.paused
        idle = not self.jobs and (release or not self._effects)
        ended = idle and (self.run.finished or self.run.failure is not None)
        rests = idle and not ended and (release or (not self.run.has_ready and bool(self.clocks)))
        if not (self.unsaved or ended or rests):
            return None
        checkpoint = self.unsaved.checkpoint(
            status=ExecutionStatus.RUNNING,
            delay=self._wake_in() if rests else lease,
            owner="" if rests else owner,
            progressed=rests or ended,
        )
        checkpoint.waits = (
            rests and self.clocks.listens and not (self.clocks.retries or self._effects or self.run.has_ready)
        )
        if ended:
            self._end(checkpoint)
        return checkpoint

    # -- inside ------------------------------------------------------------------------------------------------------

    def _wake_in(self) -> float | None:
        """Seconds until a worker should take this up again: at once, at the next retry or alarm, or when its time is over.

        None when every step that is left waits without a limit.
        """
        if self._effects or self.run.has_ready:
            return 0.0
        due = self.clocks.due_in()
        if not self.clocks.retries or due is None:
            return due
        return max(0.0, min(due, (self.claim.deadline_at - self.claim.now()).total_seconds()))

    def _goes_on(self, node: Node, row: StepRow) -> bool:
        """Whether a waiting step has something to go on with; else it is put aside until it has."""
        left = (row.due_at - self.claim.now()).total_seconds() - EARLY if row.due_at else None
        if left is not None and left <= 0:
            return True
        if row.waits_for and node.id in self._news:
            question = self.claim.questions.get(node.id)
            if row.waits_for == Reason.RUNS or (question is not None and question.answers):
                return True
        if left is None or row.waits_for:
            self.clocks.wait(node.id, left)
        else:
            self.clocks.retry(node.id, left)
        return False

    def _wake_of(self, node: Node, row: StepRow) -> Wake:
        now = self.claim.now()
        left = (row.due_at - now).total_seconds() if row.due_at else None
        question = self.claim.questions.get(node.id)
        self._news.discard(node.id)
        return Wake(
            expired=left is not None and left <= EARLY,
            answers=tuple(question.answers) if question else (),
            state=row.state or {},
            waited=(now - row.started_at).total_seconds(),
            left=None if left is None else max(0.0, left),
        )

    def _run_inline(self, node: Node, row: StepRow | None) -> None:
        moment = self.claim.now()
        waited = row is not None and row.status == StepStatus.WAITING
        if row is None:
            row = self._row(node, moment)
        elif waited and not row.waits_for:
            row.attempt += 1
        step = self._step(node, row.attempt, row.started_at)
        config = prepare(node, step.scope)
        bound = settings.ENGINE["max_output_bytes"]
        outcome: Outcome
        if isinstance(config, Failed):
            outcome = config
        elif waited and row.waits_for:
            outcome = resume(node, config, step, self._wake_of(node, row), max_output_bytes=bound)
        else:
            outcome = perform(node, config, step, max_output_bytes=bound)
        self._settle(node, row, outcome, step.notes)

    def _begin(self, node: Node) -> Job | None:
        moment = self.claim.now()
        row = self._rows.get(node.id)
        held_back = row is not None and row.waits_for == Reason.PACE
        if row is not None and row.waits_for and not held_back:
            if row.waits_for != Reason.SETTLE:
                return self._go_on(node, row)
            if not self._is_to_be_done(node, row):
                return None
        recovering = row is not None and row.status == StepStatus.RUNNING
        attempt = 1 if row is None else row.attempt + (0 if recovering or held_back else 1)
        step = self._step(node, attempt, row.started_at if row else moment)
        rendered = render(node, step.scope)
        config = rendered if isinstance(rendered, Failed) else validate(node, rendered)
        if row is None:
            row = self._row(node, moment)
        else:
            self.unsaved.touch(row)
        row.attempt, row.status, row.due_at, row.waits_for = attempt, StepStatus.RUNNING, None, ""
        row.error_code = row.error_message = ""
        if isinstance(config, Failed):
            self._settle(node, row, config, [])
            return None
        assert isinstance(rendered, dict), "a rendering that failed is the configuration's failure"  # noqa: S101  For the checker.
        row.input_data = kept(masked(rendered, node.settings.sensitive))
        begin_effect(row, node, config, recovering)
        how = (
            "continues after an interruption"
            if recovering
            else "started"
            if attempt == 1
            else f"started (attempt {attempt})"
        )
        self.unsaved.say(LogKind.STEP_STARTED, f"'{node.title}' {how}.", node)
        return Job(self, node, row, config, step, recovering)

    def _go_on(self, node: Node, row: StepRow) -> Job | None:
        """A step with effects that waited: it goes on on a thread, as it may ask the outside what became of things."""
        step = self._step(node, row.attempt, row.started_at)
        config = prepare(node, step.scope)
        if isinstance(config, Failed):
            self._settle(node, row, config, [])
            return None
        return Job(self, node, row, config, step, wake=self._wake_of(node, row))

    def _is_to_be_done(self, node: Node, row: StepRow) -> bool:
        """What people say of an effect that nobody could tell. True when it did not happen, and so is to be done now."""
        wake = self._wake_of(node, row)
        said = next((each for each in reversed(wake.answers) if "happened" in each.data), None)
        if said is None:
            self.clocks.wait(node.id, None)
            return False
        self.unsaved.stop_asking(node.id)
        row.waits_for, row.state = "", None
        happened = bool(said.data["happened"])
        told, data = settled_line(node.title, said.email or "An operator", happened, said.data.get("comment") or "")
        self.unsaved.say(LogKind.NOTE, told, node, data=data)
        row.effect = EffectState.SETTLED_DONE if happened else EffectState.SETTLED_NOT
        if not happened:
            return True
        output = said.data.get("output")
        self._settle(node, row, Done({"settled": "happened"} if output is None else output), [])
        return False

    def _step(self, node: Node, attempt: int, first_started: dt.datetime) -> RunningStep:
        return running_step(self.claim, self.run, node, attempt, first_started, self.ports)

    def _row(self, node: Node, moment: dt.datetime) -> StepRow:
        row = self._rows[node.id] = self.unsaved.begin_row(node, moment)
        self.steps_taken += 1
        return row

    def _settle(self, node: Node, row: StepRow | None, outcome: Outcome, notes: list[Note]) -> None:
        moment = self.claim.now()
        row = row or self._row(node, moment)
        self.unsaved.progressed = True
        self.unsaved.touch(row)
        for note in notes:
            self.unsaved.say(LogKind.NOTE, note.message, node, level=note.level, data=dict(note.data))
        if isinstance(outcome, Wait):
            note_effect(row, outcome)
            if self.run.failure is None:
                self._wait(node, row, outcome, moment)
            return
        if isinstance(outcome, Failed):
            delay = delay_before_next(node.retry, outcome, row.attempt, random.random())  # noqa: S311  Spreads retries; no secret.
            if delay is not None and self.run.failure is None:
                self._retry_later(node, row, outcome, delay, moment)
                return
        self.unsaved.stop_asking(node.id)
        outcome, stored = keep_output(self.payloads, node, outcome)
        settled = self.run.settle(node, outcome, row.started_at.astimezone(dt.UTC).isoformat().replace("+00:00", "Z"))
        row.completed_at, row.due_at, row.waits_for, row.state = moment, None, "", None
        row.port, row.output_data = settled.port, settled.output if stored is None else stored
        if stored is not None and settled.error is None and isinstance(self.run.outputs, LazyOutputs):
            self.run.outputs.keep(node.id, stored)
        row.taken = None if settled.taken is None else list(settled.taken)
        row.status = StepStatus.COMPLETED if settled.error is None else StepStatus.FAILED
        note_effect(row, outcome)
        if isinstance(outcome, Done) and outcome.usage is not None:
            row.tokens, row.ai_ms = outcome.usage.total_tokens, outcome.usage.duration_ms
            row.cost_usd = round(outcome.usage.cost_usd, 6)
            self.unsaved.usages.append((node.id, outcome.usage))
        if settled.error is None:
            self.unsaved.say(LogKind.STEP_COMPLETED, f"'{node.title}' completed.", node)
        else:
            row.error_code, row.error_message = settled.error.code, clean(settled.error.message)
            self.unsaved.say(
                LogKind.STEP_FAILED,
                f"'{node.title}' failed: {settled.error.message}",
                node,
                level="error",
                data={"code": settled.error.code, **settled.error.details},
            )

    def _wait(self, node: Node, row: StepRow, wait: Wait, moment: dt.datetime) -> None:
        said = row.status == StepStatus.WAITING and row.waits_for == wait.reason and wait.question is None
        row.status, row.waits_for, row.state = StepStatus.WAITING, str(wait.reason), dict(wait.state)
        row.due_at = None if wait.seconds is None else moment + dt.timedelta(seconds=wait.seconds)
        row.error_code = row.error_message = ""
        if wait.reason is Reason.SETTLE:
            row.effect = EffectState.UNKNOWN
        self.unsaved.ask(row, wait, moment)
        self.clocks.wait(node.id, wait.seconds)
        if not said:
            self.unsaved.say(LogKind.STEP_WAITING, f"'{node.title}' waits for {WAITED_FOR[wait.reason]}.", node)

    def _retry_later(self, node: Node, row: StepRow, failure: Failed, delay: float, moment: dt.datetime) -> None:
        row.status, row.due_at = StepStatus.WAITING, moment + dt.timedelta(seconds=delay)
        row.error_code, row.error_message = failure.code, clean(failure.message)
        note_effect(row, failure)
        self.clocks.retry(node.id, delay)
        self.unsaved.say(
            LogKind.STEP_RETRY,
            f"'{node.title}' failed and is tried again in {delay:.1f} s "
            f"(attempt {row.attempt} of {node.retry.max_attempts}): {failure.message}",
            node,
            level="warning",
            data={"code": failure.code, "delay_seconds": round(delay, 3)},
        )

    def _end(self, checkpoint: Checkpoint) -> None:
        checkpoint.delay, checkpoint.owner, checkpoint.ended = None, "", True
        checkpoint.parent = any(node.type.starts_runs for node in self.graph.nodes)
        if self.run.failure is None:
            checkpoint.status, checkpoint.output = ExecutionStatus.COMPLETED, self.run.result()
            checkpoint.stored_output = keep_result(self.payloads, checkpoint.output)
            checkpoint.progress = 100.0
            self.unsaved.say(LogKind.ENDED, "Execution completed.", status=ExecutionStatus.COMPLETED, progress=100.0)
            return
        node, failure = self.run.failure
        row = self._rows[node.id]
        checkpoint.status = ExecutionStatus.FAILED
        checkpoint.error_code = row.error_code or failure.code
        checkpoint.error_message = clean(f"'{node.title}' failed: {row.error_message or failure.message}")
        self.unsaved.say(LogKind.ENDED, checkpoint.error_message, level="error", status=ExecutionStatus.FAILED)
