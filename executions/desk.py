"""The one thread of a worker that decides: what to claim, what runs next, what is committed when.

Pure steps of all claimed executions are committed together; an effectful step is committed before it is performed and after.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from queue import Empty, SimpleQueue
from typing import TypeVar
from uuid import UUID

import structlog
from django.conf import settings
from django.db import InterfaceError, OperationalError, connection

from engine.graph import InvalidDefinition
from engine.node import Outcome
from engine.ports import Ports
from executions import brakes, claims, gateway, journal
from executions.active import Active
from executions.claims import Claim, Standing
from executions.jobs import Job
from executions.journal import Checkpoint, ended_at_once
from executions.models import ExecutionStatus
from executions.people import link_of
from executions.records import load_questions
from executions.threads import Threads
from executions.turns import Turns
from workflows.plans import plan_of

log = structlog.get_logger(__name__)

POISON = "POISON"
COMMIT_PATIENCE = 60.0  # seconds a commit is tried again while the database is away
COMMIT_PAUSE = 0.5  # seconds between two tries

_Got = TypeVar("_Got")


@dataclass(frozen=True, slots=True)
class _Finished:
    job: Job
    outcome: Outcome | None


@dataclass(frozen=True, slots=True)
class _Lost:
    """Executions that are no longer this worker's, with the fence under which they were."""

    fences: dict[UUID, int]


class _Wake:
    """Somebody says there may be work."""


class Desk:
    """Claims due executions, carries their steps out, and commits what happened. Only its own thread touches them.

    `left` is set once it is done; `turned_at` is when (monotonic seconds) its last turn began, `claimed_at` when it last took
    something up.
    """

    def __init__(self, owner: str, stopping: threading.Event) -> None:
        self.owner = owner
        self.left = threading.Event()
        self.turned_at = time.monotonic()
        self.claimed_at = 0.0
        self._lease = float(settings.ENGINE["lease_seconds"])
        self._batch = int(settings.ENGINE["claim_batch"])
        self._inbox: SimpleQueue[_Finished | _Lost | _Wake] = SimpleQueue()
        self._awake = threading.Event()
        self._stopping = stopping
        self._active: dict[UUID, Active] = {}
        self._touched: dict[UUID, Active] = {}  # Kept until advanced: a turn that fails midway begins again with them.
        self._suspect: Active | None = None
        self._more = True
        self._turns = Turns()
        self._next_tick = 0.0
        self._threads = Threads(
            int(settings.ENGINE["effect_threads"]),
            int(settings.ENGINE["hung_threads"]),
            lambda job, outcome: self._inbox.put(_Finished(job, outcome)),
        )

    def wake(self) -> None:
        """A hint that something is due. Cheap, never blocks, may be repeated."""
        if not self._awake.is_set():
            self._awake.set()
            self._inbox.put(_Wake())

    def held(self) -> list[Active]:
        """What it has in hand. For any thread."""
        return list(self._active.values())

    @property
    def ailment(self) -> str:
        """What is wrong with this worker, or nothing. For any thread."""
        if self._threads.exhausted:
            return (
                f"{self._threads.hung} steps hang far beyond their limits; this worker takes no more work. Restart it."
            )
        return ""

    def lose(self, fences: dict[UUID, int]) -> None:
        """Executions that are no longer this worker's, with the fence under which they were. From any thread."""
        self._inbox.put(_Lost(fences))

    def run(self) -> None:
        """Until told to stop and nothing is under way any more."""
        while not (self._stopping.is_set() and not self._active):
            try:
                self._turn()
            except (OperationalError, InterfaceError) as error:
                log.warning("database_away", error=str(error).splitlines()[0] if str(error) else type(error).__name__)
                connection.close()
                self._stopping.wait(self._lease / 10)
            except Exception:
                # The desk must outlive a defect: what it held is dropped, and the leases bring it back.
                log.exception("turn_failed")
                self._active.clear()
                self._touched.clear()
                self._suspect = None
                self._stopping.wait(1.0)
        connection.close()
        self._threads.close()
        self.left.set()

    def _turn(self) -> None:
        self.turned_at = time.monotonic()
        self._collect()
        if self.turned_at >= self._next_tick:
            self._next_tick = self.turned_at + settings.ENGINE["poll_seconds"] * random.uniform(0.8, 1.2)  # noqa: S311  Spreads polls.
            self._more = True
            self._end_late()
            self._threads.look()
            self._listen(list(self._active.values()))
            self._claim_suspect()
        self._advance()  # Before more is claimed: what was performed is recorded at once, so that a crash repeats little.
        if self._more and (room := self._room()):
            taken = claims.claim(owner=self.owner, limit=room, lease=self._lease, turns=self._turns)
            self._more = self._turns.more
            self._take_up(taken)

    def _collect(self) -> None:
        """What came in, waiting for it unless there is work at hand."""
        try:
            message = self._inbox.get(timeout=self._patience())
            while True:
                self._take_in(message)
                message = self._inbox.get_nowait()
        except Empty:
            pass
        for active in self._active.values():
            due = active.clocks.due_in()
            if (due is not None and due <= 0) or (self._stopping.is_set() and not active.jobs):
                self._touched[active.claim.id] = active

    def _patience(self) -> float:
        if self._touched or (self._more and self._room()):
            return 0.0
        until_tick = max(0.0, self._next_tick - time.monotonic())
        times = (each.clocks.due_in() for each in self._active.values())
        return min([until_tick, *(due for due in times if due is not None)])

    def _room(self) -> int:
        """How many more executions this desk may take: fewer while steps wait for a free thread, none beside a suspect."""
        if self._stopping.is_set() or self._suspect is not None or self._threads.exhausted:
            return 0
        starved = sum(each.starved for each in self._active.values())
        return max(0, min(self._batch - starved, 20 * self._batch - len(self._active)))

    def _take_in(self, message: _Finished | _Lost | _Wake) -> None:
        if isinstance(message, _Wake):
            self._awake.clear()
            self._more = True
            self._listen([each for each in self._active.values() if each.clocks.listens])
        elif isinstance(message, _Lost):
            for identity, fence in message.fences.items():
                if identity in self._active and self._active[identity].claim.fence == fence:
                    self._drop(identity)
        else:
            self._threads.came_back(message.job)
            active = message.job.active
            if self._active.get(active.claim.id) is active:
                if message.outcome is None:
                    active.shelve(message.job)
                else:
                    active.finish(message.job, message.outcome)
                self._touched[active.claim.id] = active
            self._touched.update((key, each) for key, each in self._active.items() if each.starved)

    def _listen(self, actives: list[Active]) -> None:
        """Look whether something came from outside for executions at hand."""
        found = claims.standings([each.claim.id for each in actives]) if actives else {}
        self._notice(found)

    def _notice(self, found: dict[UUID, Standing]) -> None:
        """Let executions at hand take in what came from outside since they last looked."""
        news = {
            identity: standing
            for identity, standing in found.items()
            if identity in self._active and standing.signals != self._active[identity].claim.signals
        }
        questions = load_questions([each for each in news if self._active[each].clocks.listens])
        for identity, standing in news.items():
            self._active[identity].notice(standing, questions.get(identity, {}))
            self._touched[identity] = self._active[identity]

    def _claim_suspect(self) -> None:
        """Try one that several workers took in vain. It is claimed when everything at hand is safe, and nothing beside it."""
        if not self._room():
            return
        taken = claims.claim_suspect(owner=self.owner, lease=self._lease)
        if taken:
            self._advance()
            self._take_up(taken)
            self._suspect = self._active.get(taken[0].id)

    def _take_up(self, taken: list[Claim]) -> None:
        ended: list[Checkpoint] = []
        self.claimed_at = self.turned_at if taken else self.claimed_at
        for claim in taken:
            self._drop(claim.id)
            found = self._open(claim)
            if isinstance(found, Active):
                self._touched[claim.id] = self._active[claim.id] = found
            elif found is not None:
                ended.append(found)
        held = self._commit(ended)
        brakes.note_poison(each.claim for each in ended if each.error_code == POISON and each.claim.id in held)

    def _open(self, claim: Claim) -> Active | Checkpoint | None:
        if claim.late:
            return _timed_out(claim)
        if claim.attempts > settings.ENGINE["poison_attempts"]:
            return ended_at_once(
                claim,
                ExecutionStatus.FAILED,
                POISON,
                f"Given up after {claim.attempts - 1} workers took this execution and none of them recorded any progress.",
            )
        try:
            plan = plan_of(claim.version_id)
            started_at = claim.started_at.isoformat().replace("+00:00", "Z")
            links = {each: link_of(f"{claim.id}/{each}/0") for each in plan.linked(claim.body)}
            about = {
                "execution": {"id": str(claim.id), "started_at": started_at, **({"links": links} if links else {})},
                "workflow": plan.workflow,
                "organization": plan.organization,
            }
            return Active.take_up(claim, plan.graph_of(claim.body), about, _ports(claim.organization_id))
        except InvalidDefinition as error:
            return ended_at_once(claim, ExecutionStatus.FAILED, "DEFINITION", f"The definition cannot run: {error}")
        except (OperationalError, InterfaceError):
            raise
        except Exception:
            # One execution that cannot be taken up stands for itself; tried in vain a few times, it ends as poison.
            log.exception("not_taken_up", execution=str(claim.id))
            return None

    def _advance(self) -> None:
        """Drive, commit, and only then perform the effects whose intent is now recorded."""
        touched, self._touched = self._touched, {}
        stopping = self._stopping.is_set()
        if not stopping:
            self._of_each(touched, Active.drive)
        shares = {} if stopping else self._shares(touched)
        jobs = self._of_each(touched, lambda active: active.begin(shares.get(active.claim.id, 0)))
        checkpoints = self._of_each(
            touched, lambda active: active.checkpoint(owner=self.owner, lease=self._lease, release=stopping)
        )
        until = time.monotonic() + self._lease
        held = self._commit(checkpoints)
        for checkpoint in checkpoints:
            identity = checkpoint.claim.id
            if identity not in held or checkpoint.ended or not checkpoint.owner:
                self._more = self._more or (identity in held and held[identity].signals != checkpoint.claim.signals)
                self._more = self._more or self._turns.blocked  # It may have given a slot back.
                self._drop(identity)
            else:
                touched[identity].unsaved.saved()
                checkpoint.claim.held_until = until
                if checkpoint.progressed and touched[identity] is self._suspect:
                    self._suspect = None
        self._notice(held)
        if not stopping:
            self._touched.update(
                (key, each) for key, each in touched.items() if key in self._active and each.unfinished
            )
        for job in chain.from_iterable(jobs):
            if self._active.get(job.active.claim.id) is not job.active:
                continue
            if job.active.claim.paused:
                job.active.shelve(job)
                self._touched[job.active.claim.id] = job.active
                continue
            self._threads.submit(job)

    def _of_each(self, touched: dict[UUID, Active], act: Callable[[Active], _Got | None]) -> list[_Got]:
        """What each comes to, without None. A defect in one stands for itself: it is dropped, and its lease brings it back."""
        got: list[_Got] = []
        for identity, active in list(touched.items()):
            try:
                found = act(active)
            except Exception:
                log.exception("execution_dropped", execution=str(identity))
                self._drop(identity)
                del touched[identity]
            else:
                if found is not None:
                    got.append(found)
        return got

    def _shares(self, touched: dict[UUID, Active]) -> dict[UUID, int]:
        """Free threads in equal parts, what one does not need to the others; too few go to whom `standing` puts first."""
        starved = [each for each in touched.values() if each.starved]
        free = self._threads.free
        starved.sort(key=lambda each: (each.wanting,) if free >= len(starved) else each.standing)
        shares: dict[UUID, int] = {}
        for left, active in zip(range(len(starved), 0, -1), starved, strict=True):
            share = min(active.wanting, -(-free // left))
            shares[active.claim.id] = share
            free -= share
        return shares

    def _commit(self, checkpoints: list[Checkpoint]) -> dict[UUID, Standing]:
        """Commit together; while the database is away, again; when one checkpoint spoils the batch, one by one.

        Returns how things stand with the executions that are still this worker's. What could not be committed is not: its
        lease brings it back.
        """
        give_up = time.monotonic() + COMMIT_PATIENCE
        while True:
            try:
                return journal.commit(checkpoints)
            except (OperationalError, InterfaceError) as error:
                connection.close()
                log.warning("commit_waits_for_database", error=str(error)[:200], executions=len(checkpoints))
                if time.monotonic() > give_up:
                    return {}
                time.sleep(COMMIT_PAUSE)
            except Exception:
                log.exception("commit_refused", executions=[str(each.claim.id) for each in checkpoints])
                if len(checkpoints) == 1:
                    return {}
                return {
                    identity: standing for each in checkpoints for identity, standing in self._commit([each]).items()
                }

    def _end_late(self) -> None:
        late = [each for each in self._active.values() if each.claim.late]
        for active in late:
            self._drop(active.claim.id)
        self._commit([_timed_out(each.claim) for each in late])

    def _drop(self, execution_id: UUID) -> None:
        dropped = self._active.pop(execution_id, None)
        self._touched.pop(execution_id, None)
        if dropped is self._suspect:
            self._suspect = None


@lru_cache(maxsize=1024)
def _ports(organization_id: UUID) -> Ports:
    return gateway.ports_of(organization_id)


def _timed_out(claim: Claim) -> Checkpoint:
    allowed = (claim.deadline_at - claim.created_at).total_seconds()
    return ended_at_once(
        claim,
        ExecutionStatus.TIMEOUT,
        "TIMEOUT",
        f"The execution did not end within its {round(allowed, 1):,.10g} seconds.",
    )
