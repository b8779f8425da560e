"""Any order of accepting, claiming, stepping, pausing, killing, cancelling and answering, against a small model.

Two workers, and a workflow with two slots. A worker that lost an execution keeps its old claim and tries to write with it.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from auterity.kernel.access import Actor
from executions import claims, control, journal, services
from executions.claims import Claim
from executions.hints import HINTS
from executions.journal import Checkpoint
from executions.lines import line_of
from executions.models import Execution, ExecutionLog, ExecutionStatus, LogKind
from tests.executions.support import flow, make_due, person, save, start
from workflows.models import Workflow

SLOTS = 2
RUNS = 10  # in one example
LIVE = ("pending", "held", "resting", "waiting")


@dataclass
class Run:
    """`phase` is pending, held, resting (for a retry), waiting or ended; `slot` whether it keeps one while it rests."""

    execution: Execution
    phase: str = "pending"
    paused: bool = False
    woken: bool = False
    expired: bool = False
    signalled: bool = False
    slot: bool = False
    attempts: int = 0
    status: str = "pending"
    claim: Claim | None = None
    stale: list[Claim] = field(default_factory=list)

    @property
    def has_slot(self) -> bool:
        return self.phase == "held" or (self.phase == "resting" and self.slot)

    @property
    def goes_on(self) -> bool:
        if self.phase == "held":
            return self.expired and self.attempts < 3
        return self.phase == "resting" and self.slot and not self.paused

    @property
    def wants_slot(self) -> bool:
        due = self.phase in ("pending", "resting") or (self.phase == "waiting" and self.woken)
        return due and not self.paused and not self.slot

    @property
    def suspect(self) -> bool:
        return self.phase == "held" and self.expired and self.attempts >= 3


class Engine(RuleBasedStateMachine):
    actor: Actor
    workflow: Workflow

    def __init__(self) -> None:
        super().__init__()
        self.runs: dict[UUID, Run] = {}

    def of(self, *phases: str) -> list[Run]:
        return [run for run in self.runs.values() if run.phase in phases]

    def one(self, data: Any, *phases: str) -> Run:
        return data.draw(st.sampled_from(self.of(*phases)))

    # -- from outside ------------------------------------------------------------------------------------------------

    @precondition(lambda self: len(self.runs) < RUNS)
    @rule()
    def accept(self) -> None:
        execution = start(self.actor, self.workflow)
        self.runs[execution.id] = Run(execution)

    @precondition(lambda self: self.of(*LIVE))
    @rule(data=st.data())
    def cancel(self, data: Any) -> None:
        run = self.one(data, *LIVE)
        services.cancel(actor=self.actor, execution_id=run.execution.id)
        self.ended(run, "cancelled")

    @precondition(lambda self: self.of(*LIVE))
    @rule(data=st.data())
    def answer(self, data: Any) -> None:
        run = self.one(data, *LIVE)
        journal.signal([run.execution.id])
        run.signalled = True
        if run.phase == "waiting" and not run.paused:
            run.woken = True

    @precondition(lambda self: any(not run.paused for run in self.of(*LIVE)))
    @rule(data=st.data())
    def pause(self, data: Any) -> None:
        run = data.draw(st.sampled_from([run for run in self.of(*LIVE) if not run.paused]))
        control.pause(actor=self.actor, execution_id=run.execution.id)
        run.paused = run.signalled = True
        run.slot = False if run.phase != "held" else run.slot

    @precondition(lambda self: any(run.paused for run in self.of(*LIVE)))
    @rule(data=st.data())
    def resume(self, data: Any) -> None:
        run = data.draw(st.sampled_from([run for run in self.of(*LIVE) if run.paused]))
        control.resume(actor=self.actor, execution_id=run.execution.id)
        run.paused, run.signalled = False, True
        run.woken = run.phase != "held"

    @rule()
    def wipe_hints(self) -> None:
        HINTS.use(None)

    # -- workers -----------------------------------------------------------------------------------------------------

    @rule(worker=st.sampled_from(["w1", "w2"]))
    def claim(self, worker: str) -> None:
        going_on = {key for key, run in self.runs.items() if run.goes_on}
        wanting = {key for key, run in self.runs.items() if run.wants_slot}
        free = SLOTS - sum(run.has_slot for run in self.runs.values())
        taken = claims.claim(owner=worker, limit=4 * RUNS, lease=300.0)
        ids = {each.id for each in taken}
        assert len(ids) == len(taken)
        assert going_on <= ids <= going_on | wanting
        # Who was parked by an earlier look is not overtaken, and is first when a slot is free: one look later at the latest.
        if len(ids - going_on) < min(free, len(wanting)):
            taken += (more := claims.claim(owner=worker, limit=4 * RUNS, lease=300.0))
            ids |= {each.id for each in more}
        assert len(ids - going_on) == max(0, min(free, len(wanting)))
        for each in taken:
            self.held(each)

    @precondition(lambda self: any(run.suspect for run in self.runs.values()))
    @rule()
    def claim_suspect(self) -> None:
        [taken] = claims.claim_suspect(owner="w1", lease=300.0)
        assert self.runs[taken.id].suspect
        self.held(taken)

    @precondition(lambda self: self.of("held"))
    @rule(data=st.data())
    def step(self, data: Any) -> None:
        run = self.one(data, "held")
        self.write(run, ExecutionStatus.RUNNING, delay=300.0, owner="w")
        run.attempts, run.expired = 0, False

    @precondition(lambda self: self.of("held"))
    @rule(data=st.data(), status=st.sampled_from([ExecutionStatus.COMPLETED, ExecutionStatus.FAILED]))
    def end(self, data: Any, status: ExecutionStatus) -> None:
        run = self.one(data, "held")
        self.write(run, status, delay=None, ended=True)
        self.ended(run, status.value)

    @precondition(lambda self: self.of("held"))
    @rule(data=st.data(), waits=st.booleans())
    def rest(self, data: Any, waits: bool) -> None:
        """It waits for people, or is tried again at once."""
        run = self.one(data, "held")
        self.write(run, ExecutionStatus.RUNNING, delay=None if waits else 0.0, waits=waits)
        run.phase, run.attempts, run.expired = ("waiting" if waits else "resting"), 0, False
        run.woken = run.signalled and not run.paused
        run.slot = not waits and not run.paused

    @precondition(lambda self: self.of("held"))
    @rule(data=st.data())
    def expire(self, data: Any) -> None:
        """Its worker was killed, or stands still for longer than the lease."""
        run = self.one(data, "held")
        make_due(run.execution)
        run.expired = True

    @precondition(lambda self: any(run.stale for run in self.runs.values()))
    @rule(data=st.data(), ended=st.booleans())
    def write_too_late(self, data: Any, ended: bool) -> None:
        run = data.draw(st.sampled_from([run for run in self.runs.values() if run.stale]))
        status = ExecutionStatus.COMPLETED if ended else ExecutionStatus.RUNNING
        stale = copy.copy(data.draw(st.sampled_from(run.stale)))
        line = line_of(stale, 1, LogKind.NOTE, "Too late.", status=status, progress=0.0)
        assert journal.commit([Checkpoint(stale, status, 0.0, None, ended=ended, waits=not ended, lines=[line])]) == {}

    # -- what always holds -------------------------------------------------------------------------------------------

    @invariant()
    def the_database_says_what_the_model_says(self) -> None:
        rows = {row.id: row for row in Execution.objects.of(self.actor).filter(id__in=self.runs)}
        for key, run in self.runs.items():
            row = rows[key]
            assert (row.status, row.paused_at is not None) == (run.status, run.paused)
            assert bool(row.lease_owner) == (run.phase == "held")
            assert (row.completed_at is None) == (run.phase != "ended")
            if run.phase == "ended":
                assert (row.due_at, row.parked_at is not None and row.completed_at is None) == (None, False)
            elif run.wants_slot:
                assert row.due_at is not None or row.parked_at is not None
        holding = (
            Execution.objects.of(self.actor).filter(status="running", waiting_since=None).values_list("id", flat=True)
        )
        assert set(holding) == {key for key, run in self.runs.items() if run.has_slot}
        assert len(holding) <= SLOTS

    @invariant()
    def each_journal_counts_without_gaps_and_ends_once(self) -> None:
        lines: dict[UUID, list[tuple[int, str]]] = {}
        kept = ExecutionLog.objects.of(self.actor).filter(execution_id__in=self.runs).order_by("seq")
        for key, seq, kind in kept.values_list("execution_id", "seq", "kind"):
            lines.setdefault(key, []).append((seq, kind))
        for key, run in self.runs.items():
            of_run = lines.get(key, [])
            assert [seq for seq, _ in of_run] == list(range(1, len(of_run) + 1))
            assert [kind for _, kind in of_run].count(LogKind.ENDED) == (run.phase == "ended")
            assert run.phase != "ended" or of_run[-1][1] == LogKind.ENDED

    def teardown(self) -> None:
        for run in self.of(*LIVE):
            services.cancel(actor=self.actor, execution_id=run.execution.id)

    # -- inside ------------------------------------------------------------------------------------------------------

    def held(self, claim: Claim) -> None:
        run = self.runs[claim.id]
        if run.claim is not None:
            assert claim.fence > run.claim.fence
            run.stale.append(run.claim)
        assert claim.paused == run.paused
        run.attempts += 1
        assert claim.attempts == run.attempts
        run.phase, run.status, run.claim = "held", "running", claim
        run.expired = run.signalled = run.woken = False
        run.slot = True

    def write(
        self, run: Run, status: ExecutionStatus, *, delay: float | None, ended: bool = False, **more: Any
    ) -> None:
        claim = run.claim
        assert claim is not None
        kind = LogKind.ENDED if ended else LogKind.NOTE
        line = line_of(claim, 1, kind, "A line.", status=status, progress=0.0)
        checkpoint = Checkpoint(claim, status, 0.0, delay, ended=ended, lines=[line], **more)
        assert journal.commit([checkpoint]).keys() == {claim.id}
        claim.seq += 1

    def ended(self, run: Run, status: str) -> None:
        if run.claim is not None:
            run.stale.append(run.claim)
        run.phase, run.status, run.claim = "ended", status, None
        run.slot = False
        run.paused = Execution.objects.of(self.actor).get(id=run.execution.id).paused_at is not None


@pytest.mark.timeout(600)
def test_whatever_happens_in_whatever_order(db: None) -> None:
    actor = person()
    workflow = save(actor, {**flow({"a": "start"}), "settings": {"concurrency": SLOTS}})
    machine = type("Machine", (Engine,), {"actor": actor, "workflow": workflow})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=200, stateful_step_count=25, deadline=None, database=None,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate],  # Making a failing order shorter takes minutes.
        ),
    )  # fmt: skip
