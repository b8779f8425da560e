"""G4: workers whose clocks are an hour off, either way. Nothing begins early or late, and nobody's lease is taken from him.

With libfaketime (LIBFAKETIME names it, or it is where Debian puts it) the operating system's own clock calls are wrong, else
Python's. The database's clock is right. `python -m tests.load.g04_clock [--short]`
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from tests.load.gates import Figures, somebody, wait_until
from tests.load.ledger import verdict
from tests.load.processes import processes, worker_kinds
from tests.load.servers import stand_alone

OFF_BY = 3600.0
LATE_AFTER = 3.0  # seconds after its moment at which a step counts as late


def measure(short: bool) -> Figures:
    from django.conf import settings

    from executions.models import Execution, ExecutionStep
    from tests.executions.support import flow, save, start
    from tests.executions.workers import Sink

    each = 10 if short else 200
    fake_time = "" if settings.EMBEDDED else faketime()  # SQLite's clock is the machine's, which stays right.
    actor = somebody("clock")
    engine = {"lease_seconds": 2.0, "poll_seconds": 0.2, "fake_time": fake_time}
    kind = worker_kinds(1)[0]
    with Sink(0.5) as sink, processes(kind, kind, clocks=[OFF_BY, -OFF_BY], **engine) as [ahead, behind]:
        at_once = save(actor, flow({"a": "start"}))
        called = save(actor, flow({"a": ("api-integration", {"method": "POST", "url": sink.url, "body": {"n": 1}})}))
        soon = save(actor, flow({"a": ("delay", {"seconds": 2}), "b": "start"}, "a > b"))
        never = save(actor, flow({"a": ("delay", {"seconds": 1800}), "b": "start"}, "a > b"))
        warm = start(actor, at_once)
        wait_until(lambda: Execution.unscoped.get(id=warm.id).status == "completed", 60)
        runs = {name: [start(actor, flow_).id for _ in range(each)] for name, flow_ in
                (("at_once", at_once), ("called", called), ("soon", soon), ("never", never))}  # fmt: skip
        due = [*runs["at_once"], *runs["called"], *runs["soon"]]
        completed = Execution.unscoped.filter(id__in=due, status="completed")
        ended = wait_until(lambda: completed.count() == len(due), 120)
        time.sleep(1.0)
        both_alive = ahead.alive and behind.alive
    owners = Execution.unscoped.filter(id__in=runs["called"]).values_list("fence", flat=True)
    robbed = sum(fence != 1 for fence in owners)
    waits = ExecutionStep.objects.filter(execution_id__in=runs["soon"], node_id="a", status="completed")
    lateness = [(row.completed_at - row.started_at).total_seconds() - 2.0 for row in waits]
    begun = Execution.unscoped.filter(id__in=[*runs["at_once"], *runs["called"]]).values_list(
        "created_at", "started_at"
    )
    starts = [(started - created).total_seconds() for created, started in begun]
    early = (
        sum(late < -0.05 for late in lateness)
        + Execution.unscoped.filter(id__in=runs["never"], status="completed").count()
    )
    negative = sum(seconds < 0 for seconds in starts)
    worst = {
        "wait_late_max_s": round(max(lateness, default=99.0), 3),
        "start_max_s": round(max(starts, default=99.0), 3),
    }
    figures = verdict(due)
    # Many calls at once may wait for a thread; a wait or a start that takes an hour's share would be far beyond.
    bound = LATE_AFTER if short else LATE_AFTER + 10
    passed = (
        ended and both_alive and not any(figures.values()) and not (early or negative or robbed)
        and worst["wait_late_max_s"] <= bound
    )  # fmt: skip
    return {
        "clock": "libfaketime" if fake_time else "injected", "off_by_s": [OFF_BY, -OFF_BY], "executions": len(due) + each,
        "early": early + negative, "leases_taken_from_their_holder": robbed, **worst, **figures, "passed": passed,
    }  # fmt: skip


def faketime() -> str:
    places = [os.environ.get("LIBFAKETIME", ""), *map(str, Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))]
    return next((each for each in places if each and Path(each).exists()), "")


if __name__ == "__main__":
    stand_alone("g04_clock", measure)
