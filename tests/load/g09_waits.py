"""G9: 100,000 executions wait for a date or for people. No worker is busy with them, its memory stays, and those whose time
has come go on then. `python -m tests.load.g09_waits [--short]`
"""

from __future__ import annotations

import time
from typing import Any

from tests.load.gates import Figures, percentile, somebody, wait_until
from tests.load.ledger import verdict
from tests.load.processes import processes, worker_kinds
from tests.load.servers import stand_alone
from tests.load.stored import copies

MOST_GROWTH = 50 * 1024 * 1024  # bytes
MOST_BUSY = 0.25  # of one core, while nothing is due
WAKE_ERROR = 2.0  # seconds, p99


def measure(short: bool) -> Figures:
    from executions.models import LIVE, Execution, ExecutionStep
    from tests.executions.support import flow, save, start

    waiting, due, idle_for, every = (2000, 40, 4.0, 0.05) if short else (100_000, 500, 20.0, 0.04)
    actor = somebody("waits")
    mine = Execution.objects.of(actor)
    with processes(*worker_kinds(1), poll_seconds=0.5) as [worker]:
        for kind, edge in (
            (("delay", {"seconds": 86_400}), "a > b"),
            (("approval", {"title": "May it?", "notify": False}), "a.approved > b"),
        ):
            workflow = save(actor, flow({"a": kind, "b": "start"}, edge))
            template = start(actor, workflow)
            wait_until(lambda run=template: mine.filter(id=run.id, lease_owner="", seq__gt=0).exists(), 60)  # type: ignore[misc]
            at_first = worker.memory()
            copies(template, waiting // 2)
        wait_until(lambda: at_rest(worker), 30)  # What it costs to start is not what waiting costs.
        held_before = mine.exclude(lease_owner="").count()
        cpu, begun = worker.cpu_seconds(), time.monotonic()
        time.sleep(idle_for)  # What is measured is that nothing happens.
        busy = (worker.cpu_seconds() - cpu) / (time.monotonic() - begun)
        delays = ExecutionStep.objects.filter(execution__in=mine, node_id="a", waits_for="delay")
        chosen = list(delays.order_by("execution_id").values_list("execution_id", flat=True)[:due])
        come_due(chosen, every)
        awake = mine.filter(id__in=chosen, status="completed")
        woken = wait_until(lambda: awake.count() == due, 60 + due * every)
        grown = worker.memory() - at_first
        held = mine.exclude(lease_owner="").count()
    steps = ExecutionStep.objects.filter(execution_id__in=chosen, node_id="b").values_list("execution_id", "started_at")
    moments = dict(
        ExecutionStep.objects.filter(execution_id__in=chosen, node_id="a").values_list("execution_id", "started_at")
    )
    lateness = [(at - moments[run]).total_seconds() - 86_400 for run, at in steps]
    figures = verdict(chosen)
    still = mine.filter(status__in=LIVE).count()
    passed = (
        woken and not (held_before or held) and busy <= MOST_BUSY and grown <= MOST_GROWTH and not any(figures.values())
        and percentile(lateness, 99) <= WAKE_ERROR and min(lateness) > -0.1 and still == waiting + 2 - due
    )  # fmt: skip
    return {
        "waiting": waiting, "held_while_waiting": held_before, "worker_busy_share": round(busy, 3),
        "memory_grown_mib": round(grown / 2**20, 1), "came_due": len(lateness), "wake_error_p50_s": percentile(lateness, 50),
        "wake_error_p99_s": percentile(lateness, 99), "woken_early": sum(each < -0.1 for each in lateness),
        "still_waiting": still, **figures, "passed": passed,
    }  # fmt: skip


def at_rest(worker: Any) -> bool:
    """Whether the process used little of a core for the last second."""
    before = worker.cpu_seconds()
    time.sleep(1.0)
    return bool(worker.cpu_seconds() - before < 0.2)


def come_due(chosen: list[Any], every: float) -> None:
    """Let these come due one after the other, beginning in a second: their wait of a day began a day ago."""
    from django.db import connection

    from executions import sql

    day_ago = [(at * every + 1.0 - 86_400.0, at * every + 1.0) for at in range(len(chosen))]
    keys = [sql.value(each) for each in chosen]
    with connection.cursor() as cursor:
        for key, (began, due) in zip(keys, day_ago, strict=True):
            cursor.execute(
                f"UPDATE execution_steps SET due_at = {sql.later('%s')}, started_at = {sql.later('%s')} "  # noqa: S608  Ours.
                "WHERE execution_id = %s AND node_id = 'a'",
                [due, began, key],
            )
            cursor.execute(
                f"UPDATE workflow_executions SET due_at = {sql.later('%s')} WHERE id = %s",  # noqa: S608  Ours.
                [due, key],
            )


if __name__ == "__main__":
    stand_alone("g09_waits", measure)
