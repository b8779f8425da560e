"""G11: organization A has 10,000 runs queued, B sends one a second. B's begin within 3 seconds (p95), while A still queues."""

from __future__ import annotations

import itertools
import time

from tests.load.gates import Figures, delays, main, percentile, set_up, somebody, wait_until, workers


def measure(short: bool) -> Figures:
    from executions.models import Execution
    from tests.executions.support import flow, save, start

    queued, sent, pause = (600, 8, 0.1) if short else (10_000, 20, 1.0)
    crowd, single = somebody("crowd"), somebody("single")
    step = ("data-transformation", {"set": {"n": 1}})
    steps = [f"n{at}" for at in range(6)]
    many = save(crowd, flow(dict.fromkeys(steps, step), *(f"{a} > {b}" for a, b in itertools.pairwise(steps))))
    one = save(single, flow({"a": "start"}))
    for _ in range(queued):
        start(crowd, many)
    waiting = Execution.objects.of(crowd).filter(status="pending")
    beside = 0
    with workers(2, poll_seconds=0.2):
        wait_until(lambda: waiting.count() < queued, 60)
        for _ in range(sent):
            beside += waiting.exists()
            start(single, one)
            time.sleep(pause)
        wait_until(lambda: len(delays(single.organization_id)) == sent, 60)
        left = waiting.count()
    p95 = percentile(delays(single.organization_id), 95)
    return {
        "queued": queued, "sent": sent, "sent_while_the_other_queued": beside, "queued_at_the_end": left,
        "start_p95_s": p95, "passed": p95 <= 3.0 and beside >= sent // 2,
    }  # fmt: skip


if __name__ == "__main__":
    set_up()
    main("g11_fairness", measure)
