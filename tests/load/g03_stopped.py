"""G3: workers are stopped (SIGSTOP) for longer than their lease and then go on. What they write then is void.

`python -m tests.load.g03_stopped [--short]`
"""

from __future__ import annotations

import signal
import time
from itertools import pairwise
from typing import Any

from tests.load.gates import Figures, somebody, wait_until
from tests.load.ledger import verdict
from tests.load.processes import Process, processes, stopped_mid_step, worker_kinds
from tests.load.servers import stand_alone

LEASE = 1.0


def measure(short: bool) -> Figures:
    from executions.models import LIVE, Execution
    from tests.executions.support import flow, save, start
    from tests.executions.workers import Sink

    stops, wanted, kept_going = (4, 1, 12) if short else (50, 10, 24)
    actor = somebody("stopped")
    mine = Execution.objects.of(actor)
    taken_over = went_unnoticed = 0
    engine = {"lease_seconds": LEASE, "poll_seconds": 0.1, "claim_batch": 6, "effect_threads": 6}
    with Sink(0.15) as sink, processes(*worker_kinds(2), **engine) as workers:
        call = ("api-integration", {"method": "POST", "url": sink.url, "body": {"n": "{{ inputs.n }}"}})
        names = [f"call{at}" for at in range(8)]
        workflow = save(actor, flow(dict.fromkeys(names, call), *map(" > ".join, pairwise(names))))
        sent = 0

        def top_up() -> None:
            nonlocal sent
            for _ in range(kept_going - mine.filter(status__in=LIVE).count()):
                start(actor, workflow, {"n": sent})
                sent += 1

        hits = 0
        while hits < stops:
            top_up()
            victim = stopped_mid_step(workers)
            if victim is None:
                break
            hits += 1
            held = victim.held()
            if others_take_over(held):
                taken_over += 1
            else:
                went_unnoticed += 1
            victim.signal(signal.SIGCONT)
        ended = wait_until(lambda: not mine.filter(status__in=LIVE).exists(), 60)
        time.sleep(2 * LEASE)  # Whoever still holds an old step tries to write it now.
        fenced = refusals(workers[0])
    ids = list(mine.values_list("id", flat=True))
    figures = verdict(ids)
    late = late_repeats(sink.keys)
    passed = ended and hits == stops and not any(figures.values()) and taken_over > 0 and fenced >= wanted
    return {
        "stops_mid_step": hits, "stops_after_which_others_took_over": taken_over, "not_taken_over": went_unnoticed,
        "lease_s": LEASE, "executions": len(ids), "stale_writes_refused": fenced, **figures, "calls_repeated": late,
        "passed": passed,
    }  # fmt: skip


def others_take_over(held: dict[Any, int]) -> bool:
    """Whether somebody else claims all that the stopped one holds."""
    from executions.models import Execution

    def taken() -> bool:
        now = dict(Execution.unscoped.filter(id__in=held).values_list("id", "fence"))
        return all(now[each] > fence for each, fence in held.items())

    return wait_until(taken, 20 * LEASE)


def refusals(worker: Process) -> int:
    """Checkpoints that the fence refused, as the workers noted them."""
    return len(worker.refused.read_text().splitlines()) if worker.refused.exists() else 0


def late_repeats(keys: Any) -> int:
    return sum(times - 1 for times in keys.values())


if __name__ == "__main__":
    stand_alone("g03_stopped", measure)
