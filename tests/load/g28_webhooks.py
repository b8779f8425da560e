"""G28: results go to receivers that are down for half an hour, refuse, hang, redirect, and are told twice. Each comes at least
once with one id, and its signature is good by Standard Webhooks, verified here by its text alone.

The half hour is not waited for: what is owed is moved five minutes back in time, again and again, so that the product's own
pauses between attempts count and the clock on the wall does not. `python -m tests.load.g28_webhooks [--short]`
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import hmac
import threading
import time
from collections import defaultdict
from typing import Any

import orjson

from tests.load.gates import Figures, somebody
from tests.load.receivers import FINE, Arrived, Mood, Receiver
from tests.load.servers import free_port, stand_alone

STEP, DOWN, LONGEST = (dt.timedelta(minutes=each) for each in (5, 30, 6 * 60))
LONG_AGO = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)


def measure(short: bool) -> Figures:
    from django.db import connection
    from django.db.models import F
    from django.test import override_settings

    from integrations import webhooks
    from integrations.models import WebhookDelivery

    count = 60 if short else 600
    actor = somebody("receiver")
    began: dict[str, int] = defaultdict(int)
    receiver = Receiver(mood=lambda _number, message: _mood(message, began))
    trap = Receiver()
    hang = 3.0
    with trap as elsewhere, receiver as address, override_settings(EGRESS_ALLOW=["127.0.0.1"]):
        _ELSEWHERE.append(elsewhere)
        kinds = ["fine", "errors", "hangs", "redirects", "garbage", "down"]
        closed = f"http://127.0.0.1:{free_port()}/down"
        owed = [
            (actor.organization_id, closed if kind == "down" else f"{address}/{kind}", {"n": at, "kind": kind})
            for at, kind in ((each, kinds[each % len(kinds)]) for each in range(count))
        ]
        seconds, webhooks.TIMEOUT_SECONDS = webhooks.TIMEOUT_SECONDS, hang / 3
        try:
            webhooks.enqueue_results(owed)
            rows = WebhookDelivery.objects.of(actor)
            passed_by, tries_while_down = dt.timedelta(0), 0
            while rows.filter(status="pending").exists() and passed_by < LONGEST:
                if passed_by >= DOWN:  # The receiver that was down came back, at another address for this test alone.
                    rows.filter(url=closed, status="pending").update(url=f"{address}/down")
                _deliver(webhooks.deliver_due, connection)
                if passed_by < DOWN:
                    tries_while_down = max(rows.filter(url=closed).values_list("attempts", flat=True), default=0)
                rows.filter(status="pending").update(due_at=F("due_at") - STEP)
                passed_by += STEP
            # An acknowledgement that was lost: what was delivered is due again.
            again = list(rows.filter(status="delivered").order_by("pk").values_list("pk", flat=True)[: count // 6])
            rows.filter(pk__in=again).update(status="pending", due_at=LONG_AGO)
            _deliver(webhooks.deliver_due, connection)
        finally:
            webhooks.TIMEOUT_SECONDS = seconds
            _ELSEWHERE.clear()
    secret = webhooks.signing_secret(actor.organization_id)
    ids = {str(each) for each in rows.values_list("pk", flat=True)}
    heard = defaultdict(set)
    for each in receiver.arrived:
        heard[each.headers.get("webhook-id", "")].add(each.body)
    unsigned = [each.path for each in receiver.arrived if not verified(secret, each)]
    forged = [
        each.path for each in receiver.arrived[:5] if verified(secret, Arrived("", each.headers, each.body + b" ", 0))
    ]
    repeated = sum(len(each) > 1 for each in heard.values())
    figures = {
        "owed": count, "messages": len(receiver.arrived), "ids_heard": len(ids & heard.keys()),
        "foreign_ids": len(heard.keys() - ids),
        "delivered": rows.filter(status="delivered").count(), "unverified": len(unsigned), "forgeries_taken": len(forged),
        "down_minutes": int(DOWN.total_seconds() // 60), "attempts_while_down": tries_while_down,
        "all_delivered_after_minutes": int(passed_by.total_seconds() // 60),
        "other_bodies_under_one_id": repeated, "told_twice": len(again), "redirects_followed": len(trap.arrived),
    }  # fmt: skip
    passed = (
        figures["ids_heard"] == figures["delivered"] == count
        and not (unsigned or forged or repeated or trap.arrived or figures["foreign_ids"])
        and len(receiver.arrived) > count
        and tries_while_down >= 3
    )
    return {**figures, "passed": passed}


_ELSEWHERE: list[str] = []


def _mood(message: Arrived, began: dict[str, int]) -> Mood:
    """How a message is answered the first two times; from the third on it is taken."""
    name = message.headers.get("webhook-id", "")
    began[name] += 1
    if began[name] > 2:
        return FINE
    kind = message.path.rpartition("/")[2]
    return {
        "errors": (500, {}, 0.0),
        "hangs": (200, {}, 2.0),
        "redirects": (302, {"Location": _ELSEWHERE[0] if _ELSEWHERE else "/"}, 0.0),
        "garbage": (429 if began[name] == 1 else 404, {}, 0.0),
    }.get(kind, FINE)


def _deliver(deliver_due: Any, connection: Any) -> None:
    """With several workers at once, as in production."""

    def work() -> None:
        try:
            while deliver_due():
                pass
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()


def verified(secret: str, message: Arrived) -> bool:
    """Standard Webhooks, "Verifying signatures": HMAC-SHA256 over `id.timestamp.payload`, any `v1` of the list, five minutes."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    name, stamp = message.headers.get("webhook-id", ""), message.headers.get("webhook-timestamp", "")
    if not name or not stamp.isdigit() or abs(time.time() - int(stamp)) > 300:
        return False
    signed = b".".join([name.encode(), stamp.encode(), message.body])
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    given = [each.partition(",") for each in message.headers.get("webhook-signature", "").split(" ")]
    good = any(version == "v1" and hmac.compare_digest(value, expected) for version, _, value in given)
    return good and orjson.loads(message.body)["type"] == "execution.ended"


if __name__ == "__main__":
    stand_alone("g28_webhooks", measure)
