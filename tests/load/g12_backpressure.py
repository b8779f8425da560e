"""G12: far more is sent than can be done. What is too much is refused quickly with 429 and Retry-After; nothing accepted is lost.

Requests go through the served application in this process, on several threads.
"""

from __future__ import annotations

import threading
import time
from collections import Counter

from tests.load.gates import Figures, main, percentile, set_up, somebody, wait_until, workers


def measure(short: bool) -> Figures:
    from django.db import connections
    from django.test import Client

    from accounts.models import User
    from executions.models import LIVE, Execution, RunLimits
    from tests.executions.support import flow, save

    seconds, cap, clients = (2.0, 30, 4) if short else (60.0, 1000, 8)
    sender = somebody("sender")
    RunLimits(organization_id=sender.organization_id, queued_runs=cap, concurrent_runs=5).save(force_insert=True)
    workflow = save(sender, flow({"a": "start"}))
    email = User.objects.get(id=sender.user_id).email
    login = Client(SERVER_NAME="127.0.0.1").post(
        "/api/auth/login", {"email": email, "password": "correct horse 9"}, content_type="application/json"
    )
    headers = {"Authorization": f"Bearer {login.json()['access_token']}"}
    answers: list[tuple[int, str, float]] = []
    accepted: list[str] = []
    depths: list[int] = []
    until = time.monotonic() + seconds
    queue = Execution.objects.of(sender).filter(status="pending")

    def send() -> None:
        client = Client(headers=headers, SERVER_NAME="127.0.0.1")
        try:
            while time.monotonic() < until:
                begun = time.monotonic()
                answer = client.post(f"/api/workflows/{workflow.id}/execute", {}, content_type="application/json")
                answers.append((answer.status_code, answer.headers.get("Retry-After", ""), time.monotonic() - begun))
                if answer.status_code == 202:
                    accepted.append(answer.json()["execution_id"])
        finally:
            connections.close_all()

    def watch() -> None:
        try:
            while time.monotonic() < until:
                depths.append(queue.count())
                time.sleep(0.05)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=each) for each in (*[send] * clients, watch)]
    for each in threads:
        each.start()
    with workers(1, poll_seconds=0.05, claim_batch=1):
        for each in threads:
            each.join()
        done = wait_until(lambda: not Execution.objects.of(sender).filter(status__in=LIVE).exists(), 120)
    codes = Counter(code for code, _, _ in answers)
    refused = [(code, after) for code, after, _ in answers if code != 202]
    told = all(code in (429, 503) and after.isdigit() and int(after) >= 1 for code, after in refused)
    kept = set(map(str, Execution.objects.of(sender).filter(status="completed").values_list("id", flat=True)))
    p99 = percentile([took for _, _, took in answers], 99)
    quick = short or p99 < 0.5  # In its short form other tests share the machine.
    passed = done and told and bool(refused) and kept == set(accepted) and max(depths) <= cap and quick
    return {
        "answers": dict(codes), "cap": cap, "deepest": max(depths), "accepted_and_lost": len(set(accepted) - kept),
        "refusals_say_when": told, "answer_p99_s": p99, "passed": passed,
    }  # fmt: skip


if __name__ == "__main__":
    set_up()
    main("g12_backpressure", measure)
