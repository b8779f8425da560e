"""G5: how long after a kill the next step is recorded, and how long after Redis was emptied the next execution is claimed.

A dead worker's executions come back when its lease has run out, so the first figure is the lease and a little more.
`python -m tests.load.g05_recovery [--short]`
"""

from __future__ import annotations

import time
from itertools import pairwise
from typing import Any

from tests.load.gates import Figures, percentile, somebody, wait_until
from tests.load.ledger import verdict
from tests.load.processes import processes, stopped_mid_step, worker_kinds
from tests.load.servers import OWN, stand_alone

AFTER_KILL = (5.0, 15.0)  # seconds beyond the lease: p50, p99
AFTER_WIPE = 20.0  # seconds


def measure(short: bool) -> Figures:
    from django.db import connection

    from executions.models import LIVE, Execution
    from tests.executions.support import flow, save, start
    from tests.executions.workers import Sink

    kills, wipes, lease = (2, 2, 2.0) if short else (20, 10, 30.0)
    actor = somebody("recovery")
    mine = Execution.objects.of(actor)
    engine = {"lease_seconds": lease, "poll_seconds": 1.0, "claim_batch": 5, "effect_threads": 5}
    after_kill: list[float] = []
    after_wipe: list[float] = []
    with Sink(0.2) as sink, processes(*worker_kinds(2), **engine) as workers:
        call = ("api-integration", {"method": "POST", "url": sink.url, "body": {"n": 1}})
        names = [f"call{at}" for at in range(20)]
        workflow = save(actor, flow(dict.fromkeys(names, call), *map(" > ".join, pairwise(names))))
        short_one = save(actor, flow({"a": "start"}))
        for _ in range(kills):
            for _ in range(6 - mine.filter(status__in=LIVE).count()):
                start(actor, workflow)
            victim = stopped_mid_step(workers)
            if victim is None:
                break
            held = victim.held()
            victim.kill()
            begun = time.monotonic()
            victim.start()
            after_kill += next_checkpoints(held, begun, 10 * lease)
        for _ in range(wipes if OWN.broker else 0):
            assert OWN.broker is not None
            OWN.broker.empty()
            run = start(actor, short_one)
            wait_until(lambda run=run: mine.get(id=run.id).started_at is not None, 60)  # type: ignore[misc]
            claimed = mine.get(id=run.id)
            after_wipe.append((claimed.started_at - claimed.created_at).total_seconds())
            connection.close()
        ended = wait_until(lambda: not mine.filter(status__in=LIVE).exists(), 60 + 3 * lease)
    figures = verdict(list(mine.values_list("id", flat=True)))
    told: dict[str, Any] = {
        "kill_to_next_checkpoint_p50_s": percentile(after_kill, 50), "kill_to_next_checkpoint_p99_s": percentile(after_kill, 99),
        "wipe_to_first_claim_max_s": round(max(after_wipe, default=0.0), 3),
    }  # fmt: skip
    passed = (
        ended
        and bool(after_kill)
        and not any(figures.values())
        and told["kill_to_next_checkpoint_p50_s"] <= lease + AFTER_KILL[0]
        and told["kill_to_next_checkpoint_p99_s"] <= lease + AFTER_KILL[1]
        and told["wipe_to_first_claim_max_s"] <= AFTER_WIPE
    )
    return {
        "lease_s": lease, "kills": kills, "executions_held_when_killed": len(after_kill), "redis_wipes": len(after_wipe),
        "skipped": ["Redis wipes"] if OWN.broker is None else [], **told, **figures, "passed": passed,
    }  # fmt: skip


def next_checkpoints(held: dict[Any, int], begun: float, patience: float) -> list[float]:
    """Seconds until each execution has recorded something under a higher fence; those that never do count as `patience`."""
    from executions.models import Execution

    was = dict(Execution.unscoped.filter(id__in=held).values_list("id", "seq"))
    took: dict[Any, float] = {}
    while len(took) < len(held) and time.monotonic() - begun < patience:
        for identity, fence, seq in Execution.unscoped.filter(id__in=held).values_list("id", "fence", "seq"):
            if fence > held[identity] and seq > was[identity]:
                took.setdefault(identity, time.monotonic() - begun)
        time.sleep(0.05)
    return [*took.values(), *[patience] * (len(held) - len(took))]


if __name__ == "__main__":
    stand_alone("g05_recovery", measure)
