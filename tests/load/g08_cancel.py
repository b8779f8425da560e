"""G8: cancelling raced with completing. Each execution ends exactly once, and nothing is recorded after its end."""

from __future__ import annotations

import datetime as dt
import random
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from tests.load.gates import Figures, main, set_up, somebody, wait_until, workers

CLOCK = dt.timedelta(milliseconds=2)  # SQLite writes moments to the millisecond, cut off.


def measure(short: bool) -> Figures:
    from django.db import connection

    from executions import services
    from executions.errors import ExecutionEnded
    from executions.models import LIVE, Execution, ExecutionLog, ExecutionStep, LogKind, WorkflowFigures
    from tests.executions.support import flow, save, start

    races = 60 if short else 1000
    actor = somebody("racer")
    won: Counter[str] = Counter()

    def race(workflow: object) -> None:
        try:
            run = start(actor, workflow)  # type: ignore[arg-type]
            time.sleep(random.uniform(0.0, 0.06))
            try:
                services.cancel(actor=actor, execution_id=run.id)
                won["cancel"] += 1
            except ExecutionEnded:
                won["completion"] += 1
        finally:
            connection.close()

    with workers(1, poll_seconds=0.05):
        step = ("data-transformation", {"set": {"n": 1}})
        workflow = save(actor, flow({"a": "start", "b": step, "c": step}, "a > b", "b > c"))
        first = start(actor, workflow)
        wait_until(lambda: Execution.unscoped.get(id=first.id).status == "completed", 60)
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(race, [workflow] * races))
        done = wait_until(lambda: not Execution.objects.of(actor).filter(status__in=LIVE).exists(), 60)
        time.sleep(1.0)  # Whoever still holds a cancelled one tries to write.
    runs = list(Execution.objects.of(actor))
    after = twice = 0
    for run in runs:
        lines = list(ExecutionLog.objects.of(actor).filter(execution=run).order_by("seq").values_list("kind", "status"))
        twice += sum(kind == LogKind.ENDED for kind, _ in lines) != 1
        late = ExecutionStep.objects.filter(execution=run, started_at__gt=run.completed_at + CLOCK).exists()
        open_ = ExecutionStep.objects.filter(execution=run, status__in=("running", "waiting")).exists()
        after += lines[-1] != (LogKind.ENDED, run.status) or late or open_
    figures = WorkflowFigures.objects.get(workflow=workflow)
    counted = Counter(run.status for run in runs)
    agree = (figures.completed, figures.cancelled) == (counted["completed"], counted["cancelled"]) and (
        won["cancel"] == counted["cancelled"]
    )
    passed = (
        done
        and len(runs) == races + 1
        and not after
        and not twice
        and agree
        and set(counted) == {"completed", "cancelled"}
    )
    return {
        "races": races, "cancelled": counted["cancelled"], "completed": counted["completed"], "ended_not_once": twice,
        "recorded_after_the_end": after, "figures_agree": agree, "passed": passed,
    }  # fmt: skip


if __name__ == "__main__":
    set_up()
    main("g08_cancel", measure)
