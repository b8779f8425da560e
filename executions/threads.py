"""The threads on which effects are performed, and what becomes of those that never come back.

A step that is long past its own limit keeps its thread: nothing can end a thread from outside. Its place is given to a spare
one, so that the worker does not starve; when the spare ones are used up, the worker takes no more work and says so.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import structlog

from engine.node import Failed, Outcome
from engine.perform import NoLongerHeld
from executions import active
from executions.jobs import Job

log = structlog.get_logger(__name__)


class Threads:
    """`slots` effects side by side, beside up to `spare` that hang.

    `done` is told what each came to, on the effect's thread: None when it was not begun, because the worker was stopped so long
    that others may have taken over. Everything else is for the desk's thread only.
    """

    def __init__(self, slots: int, spare: int, done: Callable[[Job, Outcome | None], None]) -> None:
        self._slots = slots
        self._spare = spare
        self._done = done
        self._under_way: dict[int, Job] = {}
        self._hung: set[int] = set()
        self._pool = ThreadPoolExecutor(slots + spare, thread_name_prefix="effect")

    @property
    def in_flight(self) -> int:
        """Effects under way, without those that hang."""
        return len(self._under_way) - len(self._hung)

    @property
    def hung(self) -> int:
        return len(self._hung)

    @property
    def free(self) -> int:
        return max(0, min(self._slots - self.in_flight, self._slots + self._spare - len(self._under_way)))

    @property
    def exhausted(self) -> bool:
        """More hang than there are spare threads."""
        return len(self._hung) > self._spare

    def submit(self, job: Job) -> None:
        self._under_way[id(job)] = job
        self._pool.submit(self._perform, job)

    def came_back(self, job: Job) -> None:
        """Its thread is free again."""
        del self._under_way[id(job)]
        if id(job) in self._hung:
            self._hung.discard(id(job))
            log.warning(
                "hung_step_came_back", execution=str(job.active.claim.id), node=job.node.id, hung=len(self._hung)
            )

    def look(self) -> None:
        """Give the places of those that hang to others."""
        limit = time.monotonic() - active.HUNG_AFTER
        for key, job in self._under_way.items():
            if key not in self._hung and job.begun_at + job.step.timeout < limit:
                self._hung.add(key)
                say = log.error if self.exhausted else log.warning
                say(
                    "step_hung", execution=str(job.active.claim.id), node=job.node.id, hung=self.hung, spare=self._spare
                )

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _perform(self, job: Job) -> None:
        outcome: Outcome | None = Failed("internal", f"The step '{job.node.title}' crashed. This is a defect of ours.")
        try:
            outcome = job.perform()
        except NoLongerHeld:
            log.warning("step_not_begun_without_a_lease", execution=str(job.active.claim.id), node=job.node.id)
            outcome = None
        except Exception:
            log.exception("step_crashed", execution=str(job.active.claim.id), node=job.node.id)
        finally:
            self._done(job, outcome)  # Whatever happens, the slot comes back.
