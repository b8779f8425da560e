"""G7: two workers, two beats, and every hint sent five times over. The rows are those that one of each would have written.

Embedded, the hints are calls and the beats are the workers' own clocks. `python -m tests.load.g07_duplicates [--short]`
"""

from __future__ import annotations

from collections import Counter

from tests.load.gates import Figures, somebody, wait_until
from tests.load.ledger import surplus, verdict
from tests.load.processes import processes, worker_kinds
from tests.load.servers import stand_alone

TIMES = 5


def measure(short: bool) -> Figures:
    from django.conf import settings

    from executions.models import LIVE, Execution, ScheduleFire, WorkflowFigures
    from executions.tasks import advance, fire_due, sweep
    from tests.executions.support import flow, save, start
    from tests.executions.workers import Sink
    from workflows import services as workflows
    from workflows.services import WorkflowChange

    runs, moments = (60, 3) if short else (3000, 60)
    actor = somebody("twice")
    mine = Execution.objects.of(actor)
    sent = 0
    beats = [] if settings.EMBEDDED else ["beat", "beat"]
    with Sink(0.01) as sink, processes(*worker_kinds(2), *beats, poll_seconds=0.1) as started:
        call = ("api-integration", {"method": "POST", "url": sink.url, "body": {"n": "{{ inputs.n }}"}})
        workflow = save(
            actor, flow({"a": "start", "b": call, "c": call, "d": "start"}, "a > b", "a > c", "b > d", "c > d")
        )
        clock = save(
            actor, flow({"clock": ("schedule-trigger", {"every_seconds": 1, "misfire": "all", "max_catch_up": 100})})
        )
        for n in range(runs):
            start(actor, workflow, {"n": n})
            for task in (advance, sweep, fire_due):
                for _ in range(TIMES if not settings.EMBEDDED else 0):
                    task.apply_async(ignore_result=True, retry=False)
                    sent += 1
        fires = ScheduleFire.objects.of(actor)
        fired = wait_until(lambda: fires.count() >= moments, 60 + 2 * moments)
        workflows.update_workflow(actor=actor, workflow_id=clock.id, change=WorkflowChange(is_active=False))
        ended = wait_until(lambda: not mine.filter(status__in=LIVE).exists(), 300)
        all_alive = all(each.alive for each in started)
    ours, clocked = mine.filter(workflow=workflow), mine.filter(workflow=clock)
    figures = verdict(list(mine.values_list("id", flat=True)))
    moments_fired = list(fires.values_list("fire_at", flat=True))
    fired_twice = surplus(moments_fired)
    unmatched = set(fires.values_list("execution_id", flat=True)) ^ set(clocked.values_list("id", flat=True))
    gaps = Counter(
        round((b - a).total_seconds()) for a, b in zip(sorted(moments_fired), sorted(moments_fired)[1:], strict=False)
    )
    repeated = sum(times - 1 for times in sink.keys.values())
    counted = WorkflowFigures.objects.get(workflow=workflow).completed
    passed = (
        ended and fired and all_alive and not any(figures.values()) and not fired_twice and not unmatched and not repeated
        and ours.count() == counted == runs and len(sink.keys) == 2 * runs
    )  # fmt: skip
    return {
        "executions": runs, "hints_sent_in_vain": sent, "moments_fired": len(moments_fired), "moments_fired_twice": fired_twice,
        "fires_without_their_execution": len(unmatched), "seconds_between_moments": dict(gaps), **figures,
        "effects_repeated": repeated, "counted_as_completed": counted, "passed": passed,
    }  # fmt: skip


if __name__ == "__main__":
    stand_alone("g07_duplicates", measure)
