"""A worker process's desk: claims due executions, carries their steps out, and commits what happened.

One thread decides and talks to the database; effects run on a pool of threads that hold no connection; a third kind of thread
renews the leases. Pure steps of all claimed executions are committed together; an effectful step is committed before it is
performed and after. Whatever dies, the database says what is still owed, and another desk takes it up.
"""

from __future__ import annotations

import os
import random
import secrets
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from queue import Empty, SimpleQueue
from uuid import UUID

import structlog
from django.conf import settings
from django.db import DatabaseError, InterfaceError, OperationalError, connection

from engine.graph import InvalidDefinition
from engine.node import Outcome
from engine.ports import Ports
from executions import gateway, journal
from executions.active import Active, Job, ended_at_once
from executions.journal import Checkpoint, Claim
from executions.models import ExecutionStatus
from integrations.webhooks import deliver_due
from workflows.plans import plan_of

log = structlog.get_logger(__name__)

COMMIT_PATIENCE = 60.0  # seconds a commit is tried again while the database is away


@dataclass(frozen=True, slots=True)
class _Finished:
    job: Job
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class _Lost:
    executions: frozenset[UUID]


class _Wake:
    """Somebody says there may be work."""


class Runner:
    """Start one a process. `stop` lets steps under way end; what is not finished by then is taken up elsewhere."""

    def __init__(self) -> None:
        self.owner = f"{socket.gethostname()[:40]}:{os.getpid()}:{secrets.token_hex(4)}"
        self._lease = float(settings.ENGINE["lease_seconds"])
        self._inbox: SimpleQueue[_Finished | _Lost | _Wake] = SimpleQueue()
        self._awake = threading.Event()
        self._stopping = threading.Event()
        self._active: dict[UUID, Active] = {}
        self._again: dict[UUID, Active] = {}
        self._in_flight = 0
        self._more = True
        self._next_poll = 0.0
        self._effects = ThreadPoolExecutor(settings.ENGINE["effect_threads"], thread_name_prefix="effect")
        self._threads = [
            threading.Thread(target=self._desk, name="desk", daemon=True),
            threading.Thread(target=self._renew_leases, name="leases", daemon=True),
            threading.Thread(target=self._deliver_webhooks, name="webhooks", daemon=True),
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def wake(self) -> None:
        """A hint that something is due. Cheap, never blocks, may be repeated."""
        if not self._awake.is_set():
            self._awake.set()
            self._inbox.put(_Wake())

    def stop(self, *, grace: float = 20.0) -> None:
        """Claim nothing more and wait up to `grace` seconds for steps under way."""
        self._stopping.set()
        self._inbox.put(_Wake())
        for thread in self._threads:
            thread.join(grace)
        self._effects.shutdown(wait=False, cancel_futures=True)

    # -- the desk ----------------------------------------------------------------------------------------------------

    def _desk(self) -> None:
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
                self._again.clear()
                self._stopping.wait(1.0)
        connection.close()

    def _turn(self) -> None:
        touched = self._collect()
        self._end_late(touched)
        if not self._stopping.is_set() and (self._more or time.monotonic() >= self._next_poll):
            touched |= self._claim()
        if touched:
            self._advance(touched)

    def _collect(self) -> dict[UUID, Active]:
        """What came in, waiting for it until the next poll unless there is work at hand."""
        touched, self._again = self._again, {}
        patience = 0.0 if touched or self._more else max(0.0, self._next_poll - time.monotonic())
        try:
            message = self._inbox.get(timeout=patience) if patience else self._inbox.get_nowait()
            while True:
                self._take_in(message, touched)
                message = self._inbox.get_nowait()
        except Empty:
            pass
        for active in self._active.values():
            if active.retries and active.due_in() <= 0:
                touched[active.claim.id] = active
        return touched

    def _take_in(self, message: _Finished | _Lost | _Wake, touched: dict[UUID, Active]) -> None:
        if isinstance(message, _Wake):
            self._awake.clear()
            self._more = True
        elif isinstance(message, _Lost):
            for each in message.executions:
                self._drop(each)
                touched.pop(each, None)
        else:
            self._in_flight -= 1
            active = message.job.active
            if self._active.get(active.claim.id) is active:
                active.finish(message.job, message.outcome)
                touched[active.claim.id] = active
            touched.update((key, each) for key, each in self._active.items() if each.starved)

    def _claim(self) -> dict[UUID, Active]:
        self._next_poll = time.monotonic() + settings.ENGINE["poll_seconds"] * random.uniform(0.8, 1.2)  # noqa: S311  Spreads polls.
        self._more = False
        room = min(settings.ENGINE["claim_batch"], 20 * settings.ENGINE["claim_batch"] - len(self._active))
        if room <= 0 or self._in_flight >= settings.ENGINE["effect_threads"]:
            return {}
        claims = journal.claim(owner=self.owner, limit=room, lease=self._lease)
        self._more = len(claims) == room
        ended: list[Checkpoint] = []
        taken: dict[UUID, Active] = {}
        for claim in claims:
            self._drop(claim.id)
            found = self._take_up(claim)
            if isinstance(found, Active):
                taken[claim.id] = self._active[claim.id] = found
            else:
                ended.append(found)
        self._commit(ended)
        return taken

    def _take_up(self, claim: Claim) -> Active | Checkpoint:
        if claim.late:
            return _timed_out(claim)
        if claim.attempts > settings.ENGINE["poison_attempts"]:
            return ended_at_once(
                claim,
                ExecutionStatus.FAILED,
                "POISON",
                f"Given up after {claim.attempts - 1} workers took this execution and none of them recorded any progress.",
            )
        try:
            plan = plan_of(claim.version_id)
            about = {
                "execution": {"id": str(claim.id), "started_at": claim.started_at.isoformat().replace("+00:00", "Z")},
                "workflow": plan.workflow,
                "organization": plan.organization,
            }
            return Active.take_up(claim, plan.graph, about, _ports(claim.organization_id))
        except InvalidDefinition as error:
            return ended_at_once(claim, ExecutionStatus.FAILED, "DEFINITION", f"The definition cannot run: {error}")

    def _advance(self, touched: dict[UUID, Active]) -> None:
        """Drive, commit, and only then perform the effects whose intent is now recorded."""
        checkpoints: list[Checkpoint] = []
        jobs: list[Job] = []
        cut_short: list[Active] = []
        for active in touched.values():
            if active.drive():
                cut_short.append(active)
            jobs += active.begin(settings.ENGINE["effect_threads"] - self._in_flight - len(jobs))
            checkpoint = active.checkpoint(owner=self.owner, lease=self._lease)
            if checkpoint is not None:
                checkpoints.append(checkpoint)
        held = self._commit(checkpoints)
        for checkpoint in checkpoints:
            identity = checkpoint.claim.id
            if identity not in held or checkpoint.ended or not checkpoint.owner:
                self._drop(identity)
            else:
                touched[identity].committed()
        self._again.update((each.claim.id, each) for each in cut_short if each.claim.id in self._active)
        for job in jobs:
            if self._active.get(job.active.claim.id) is job.active:
                self._in_flight += 1
                self._effects.submit(self._perform, job)

    def _perform(self, job: Job) -> None:
        self._inbox.put(_Finished(job, job.perform()))

    def _commit(self, checkpoints: list[Checkpoint]) -> set[UUID]:
        """Commit together; while the database is away, again; when one checkpoint spoils the batch, one by one."""
        if not checkpoints:
            return set()
        give_up = time.monotonic() + COMMIT_PATIENCE
        while True:
            try:
                return journal.commit(checkpoints)
            except (OperationalError, InterfaceError) as error:
                connection.close()
                if time.monotonic() > give_up or self._stopping.is_set():
                    raise
                log.warning("commit_waits_for_database", error=str(error)[:200], executions=len(checkpoints))
                self._stopping.wait(0.5)
            except DatabaseError:
                log.exception("commit_refused", executions=[str(each.claim.id) for each in checkpoints])
                if len(checkpoints) == 1:
                    return set()
                return {identity for each in checkpoints for identity in self._commit([each])}

    def _end_late(self, touched: dict[UUID, Active]) -> None:
        late = [each for each in self._active.values() if each.past_deadline]
        for active in late:
            self._drop(active.claim.id)
            touched.pop(active.claim.id, None)
        self._commit([_timed_out(each.claim) for each in late])

    def _drop(self, execution_id: UUID) -> None:
        self._active.pop(execution_id, None)
        self._again.pop(execution_id, None)

    # -- beside the desk ---------------------------------------------------------------------------------------------

    def _renew_leases(self) -> None:
        while not self._stopping.wait(self._lease / 3):
            fences = {each.claim.id: each.claim.fence for each in list(self._active.values()) if not each.hung}
            try:
                lost = journal.renew(owner=self.owner, fences=fences, lease=self._lease)
            except DatabaseError:
                connection.close()
                continue
            if lost:
                self._inbox.put(_Lost(frozenset(lost)))
        connection.close()

    def _deliver_webhooks(self) -> None:
        while not self._stopping.wait(settings.ENGINE["poll_seconds"]):
            try:
                while deliver_due() and not self._stopping.is_set():
                    pass
            except DatabaseError:
                connection.close()
        connection.close()


@lru_cache(maxsize=1024)
def _ports(organization_id: UUID) -> Ports:
    return gateway.ports_of(organization_id)


def _timed_out(claim: Claim) -> Checkpoint:
    allowed = (claim.deadline_at - claim.created_at).total_seconds()
    return ended_at_once(
        claim, ExecutionStatus.TIMEOUT, "TIMEOUT", f"The execution did not end within its {allowed:,.0f} seconds."
    )

