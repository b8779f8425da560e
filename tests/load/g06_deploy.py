"""G6: web servers and workers are replaced one after the other (SIGTERM, as a deploy does) while customers call.

Two web servers take turns, as behind a balancer that sends a refused connection's request to the other. No answer is an error
and no execution fails. Needs the production shape. `python -m tests.load.g06_deploy [--short]`
"""

from __future__ import annotations

import signal
import threading
import time
from typing import Any

from tests.load.gates import Figures, somebody, wait_until
from tests.load.ledger import verdict
from tests.load.processes import processes
from tests.load.sent import Caller
from tests.load.servers import stand_alone


def measure(short: bool) -> Figures:
    from executions.models import LIVE, Execution
    from tests.executions.support import flow, save
    from tests.executions.workers import Sink

    rounds, clients = (1, 2) if short else (10, 4)
    actor = somebody("deploy")
    mine = Execution.objects.of(actor)
    engine = {"lease_seconds": 10.0, "poll_seconds": 0.2, "effect_threads": 8}
    codes: list[tuple[str, int]] = []
    stop = threading.Event()
    accepted: list[Any] = []
    with Sink(0.1) as sink, processes("web", "web", "celery", "celery", **engine) as started:
        webs, workers = started[:2], started[2:]
        call = ("api-integration", {"method": "POST", "url": sink.url, "body": {"n": "{{ inputs.n }}"}})
        workflow = save(actor, flow({"a": call, "b": "start", "c": call}, "a > b", "b > c"))
        callers = [Caller(actor, [each.port for each in webs]) for _ in range(clients)]

        def send(caller: Caller, name: int) -> None:
            n = 0
            while not stop.is_set():
                accepted.append(caller.start(workflow.id, {"n": n}, f"deploy-{name}-{n}"))
                n += 1
                time.sleep(0.1 if short else 0.02)

        threads = [threading.Thread(target=send, args=(each, at), daemon=True) for at, each in enumerate(callers)]
        for each in threads:
            each.start()
        for _ in range(rounds):
            for replaced in [*webs, *workers]:
                codes.append((replaced.kind, replaced.stop()))
                replaced.start()
                if replaced.kind == "web":
                    replaced.wait_until_listening()
                else:
                    before = mine.filter(status="completed").count()
                    wait_until(lambda before=before: mine.filter(status="completed").count() > before, 30)  # type: ignore[misc]
        stop.set()
        for each in threads:
            each.join(120)
        ended = wait_until(lambda: not mine.filter(status__in=LIVE).exists(), 60)
    answers: dict[int, int] = {}
    for caller in callers:
        for status, count in caller.answers.items():
            answers[status] = answers.get(status, 0) + count
    moved = answers.pop(0, 0)
    figures = verdict(accepted)
    errors = sum(count for status, count in answers.items() if status >= 400)
    repeated = sum(times - 1 for times in sink.keys.values())
    # The web server ends by the signal it was sent, once its last answer is out.
    unclean = sum(code not in ((0, -signal.SIGTERM) if kind == "web" else (0,)) for kind, code in codes)
    passed = (
        ended and not errors and not any(figures.values()) and len(accepted) > 10 * rounds and not repeated
        and mine.count() == len(set(accepted)) == len(accepted) and not unclean
    )  # fmt: skip
    return {
        "rounds": rounds, "processes_replaced": len(codes), "ended_uncleanly": unclean,
        "answers": answers, "error_answers": errors, "sent_to_the_other_server": moved, "executions": len(accepted),
        **figures, "effects_repeated": repeated, "passed": passed,
    }  # fmt: skip


if __name__ == "__main__":
    stand_alone("g06_deploy", measure)
