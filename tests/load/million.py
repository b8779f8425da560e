"""Everything that is read, with a thousand rows of each large kind stored and with a million: every GET of every dialect, and
every list and search of the operators' site. What takes long fails; what takes much longer than before is told.

`python scripts/services.py run python -m tests.load.million [--short]`, on PostgreSQL. In full it stores about ten million rows,
which takes minutes and gigabytes.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from tests.load.asked import operations
from tests.load.gates import Figures
from tests.load.servers import stand_alone

FEW, MANY, MANY_SHORT = 1000, 1_000_000, 5000
ROUNDS = 3
SLOW_SECONDS = 0.5  # with a million stored
SLOW_SEARCH_SECONDS = 1.0  # of operators, for a part of a word: every row is looked at
SEARCH = " search"
WHOLE = "GET /api/audit/export"  # It streams them all.
# What takes so many times as long as with a thousand, and that many seconds, is told.
TIMES, AT_LEAST_SECONDS = 4.0, 0.1

Look = Callable[[], Any]


def measure(short: bool) -> Figures:
    from django.test import override_settings

    many = MANY_SHORT if short else MANY
    with override_settings(RATE_LIMITS=False, ALLOWED_HOSTS=["*"]):
        looks = dict(_looks())
        _store(FEW)
        few, _ = _times(looks)
        begun = time.monotonic()
        _store(many)
        stored = round(time.monotonic() - begun)
        lots, statuses = _times(looks)
    crashed = [name for name, status in statuses.items() if status >= 500 and status != 503]
    refused = [f"{status} {name}" for name, status in statuses.items() if status >= 400 and name not in crashed]
    slow, grows = [], {}
    for name, seconds in sorted(lots.items(), key=lambda each: -each[1]):
        if seconds > (SLOW_SEARCH_SECONDS if name.endswith(SEARCH) else SLOW_SECONDS):
            slow.append(name)
        if seconds > AT_LEAST_SECONDS and seconds > TIMES * few[name]:
            grows[name] = [round(1000 * few[name]), round(1000 * seconds)]
    return {
        "stored": many, "storing_s": stored, "looks": len(looks), "slow": slow, "grows_ms": grows, "crashed": crashed,
        "refused": refused,
        "slowest_ms": round(1000 * max(lots.values())), "median_ms": round(1000 * statistics.median(lots.values()), 1),
        "passed": not slow and not crashed and len(looks) > 200,
    }  # fmt: skip


def _looks() -> Iterator[tuple[str, Look]]:
    from django.contrib import admin
    from django.test import Client
    from django.urls import reverse

    from accounts.models import User
    from tests.load.estate import estate

    owner = estate("million", roles=True)
    _give_a_row_of_each(owner)
    for asked in operations():
        if asked.method == "GET" and str(asked) != WHOLE:
            yield str(asked), partial(owner.owner.api.get, asked.filled(owner.id_for))
    executions = f"/api/workflows/{owner.ids['workflow_id']}/executions"
    for query in (
        "?page=40&limit=25",
        "?status=failed",
        "?status=completed&limit=100",
        "?started_after=2020-01-01T00:00:00Z",
    ):
        yield (
            f"GET {executions.replace(owner.ids['workflow_id'], '{workflow_id}')}{query}",
            partial(owner.owner.api.get, executions + query),
        )
    operator = Client()
    operator.force_login(User.objects.create_superuser("root@example.com", "pw", first_name="Ro", last_name="Ot"))
    yield "operators: start", partial(operator.get, reverse("admin:index"))
    for model in admin.site._registry:
        page = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        yield f"operators: {model._meta.label}", partial(operator.get, page)
        yield f"operators: {model._meta.label}{SEARCH}", partial(operator.get, page + "?q=nothing-like-this")


def _times(looks: dict[str, Look]) -> tuple[dict[str, float], dict[str, int]]:
    """Median seconds by name, and the status of the last answer: what was refused was not read."""
    found, statuses = {}, {}
    for name, look in looks.items():
        took = []
        for _ in range(ROUNDS):
            begun = time.monotonic()
            answer = look()
            if answer.streaming:
                answer.getvalue()
            took.append(time.monotonic() - begun)
            if took[-1] > 10 * SLOW_SECONDS:
                break
        found[name] = statistics.median(took)
        statuses[name] = answer.status_code
    return found, statuses


# -- storing ---------------------------------------------------------------------------------------------------------


def _give_a_row_of_each(owner: Any) -> None:
    from ai.models import AiUsage
    from integrations.webhooks import enqueue_results

    AiUsage.unscoped.create(
        organization_id=owner.organization_id, provider="openai", model="m", prompt_tokens=1, completion_tokens=1,
        cost_usd=0, duration_ms=1.0,
    )  # fmt: skip
    enqueue_results([(owner.organization_id, "https://hooks.example.com/x", {"n": 1})])


def _store(count: int) -> None:
    """So many of each large kind, in the database itself: copies of what the product wrote."""
    from django.db import connection
    from django.db.models.functions import Now

    from accounts.models import LoginAttempt
    from ai.models import AiUsage
    from audit.models import AuditEvent
    from executions.models import Execution, ExecutionStatus, ExecutionStep
    from integrations.models import OutgoingMessage, WebhookDelivery
    from monitoring.services import add_up_ai_calls
    from notifications.models import UserNotification
    from tests.load.stored import copies

    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")  # This connection is the looks' own too, until `RESET`.
    run = Execution.unscoped.order_by("created_at").first()
    assert run is not None
    # Nearly all of a million rows are of what went well and is over.
    Execution.unscoped.filter(pk=run.pk).update(
        status=ExecutionStatus.COMPLETED, due_at=None, started_at=Now(), completed_at=Now()
    )
    ExecutionStep.objects.filter(execution=run, effect="unknown").update(effect="confirmed")
    copies(run, count - Execution.unscoped.count(), spread_seconds=86_400.0 * 30)
    ExecutionStep.objects.filter(execution=run, effect="confirmed").update(effect="unknown")
    _multiply(AuditEvent, count, sequence="n + {have}")
    _multiply(UserNotification, count, seq="n + {have}", read_at="t.created_at")
    _multiply(LoginAttempt, count)
    _multiply(OutgoingMessage, count, status="'sent'", due_at="NULL")
    _multiply(WebhookDelivery, count, status="'delivered'", due_at="NULL")
    _multiply(AiUsage, count)
    add_up_ai_calls()  # As the ticks of a server do.
    with connection.cursor() as cursor:
        cursor.execute("RESET statement_timeout")


def _multiply(model: Any, count: int, **changed: str) -> None:
    """`changed` is SQL by column, over the row `t` and the number `n`."""
    from django.db import connection

    from tests.load.stored import id_at

    rows = getattr(model, "unscoped", model._base_manager)
    have, one = rows.count(), rows.order_by("pk").first()
    assert one is not None, model
    columns = {each.column: f"t.{each.column}" for each in model._meta.concrete_fields}
    moment = "t.created_at - n * interval '2 seconds'"
    changed |= {"id": id_at(moment), "created_at": moment}
    columns |= {name: sql.format(have=have + 100) for name, sql in changed.items() if name in columns}
    table = model._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} ({', '.join(columns)}) SELECT {', '.join(columns.values())} "  # noqa: S608  Ours.
            f"FROM {table} t CROSS JOIN generate_series(1, {count - have}) AS n WHERE t.id = %s",
            [one.pk],
        )
        cursor.execute(f"ANALYZE {table}")


if __name__ == "__main__":
    stand_alone("million", measure)
