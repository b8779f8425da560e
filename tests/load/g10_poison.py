"""G10: executions that take their worker process down are given up as POISON, and hardly delay those of others."""

from __future__ import annotations

from tests.load.gates import Figures, delays, main, percentile, set_up, somebody, wait_until, workers


def measure(short: bool) -> Figures:
    from executions.models import LIVE, Execution
    from tests.executions.support import flow, save, start

    deadly, harmless = (2, 20) if short else (20, 200)
    alone, poisoner, neighbour = somebody("alone"), somebody("poisoner"), somebody("neighbour")

    def ended(actor: object) -> bool:
        look()
        return not Execution.objects.of(actor).filter(status__in=LIVE).exists()  # type: ignore[arg-type]

    with workers(2, lease_seconds=1.0, poll_seconds=0.05) as look:
        for actor in (alone, neighbour):
            workflow = save(actor, flow({"a": "start"}))
            if actor is neighbour:
                for _ in range(deadly):  # Each has a workflow of its own, so that no brake stops the others.
                    start(poisoner, flow({"a": "start", "b": "exit"}, "a > b"))
            for _ in range(harmless):
                start(actor, workflow)
            wait_until(lambda actor=actor: ended(actor), 120)  # type: ignore[misc]
        all_ended = wait_until(lambda: ended(poisoner), 30 + 15 * deadly)
        died = look()
    codes = list(Execution.objects.of(poisoner).values_list("status", "error_code"))
    completed = Execution.objects.of(neighbour).filter(status="completed").count()
    before, beside = percentile(delays(alone.organization_id), 95), percentile(delays(neighbour.organization_id), 95)
    poisoned = codes.count(("failed", "POISON"))
    passed = all_ended and poisoned == deadly and completed == harmless and 5 <= died <= 6 * deadly
    return {
        "deadly": deadly, "poisoned": poisoned, "workers_that_died": died, "neighbours_completed": completed,
        "neighbours": harmless, "start_p95_alone_s": before, "start_p95_beside_s": beside, "passed": passed,
    }  # fmt: skip


if __name__ == "__main__":
    set_up()
    main("g10_poison", measure)
