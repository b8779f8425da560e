"""What row-level security would cost as a second wall (decision 0031): the same requests without it, and in two ways with it.

`session`: the organization is set once a request on the connection. `local`: the request is one transaction, and the organization
is set inside it (SET LOCAL), which cannot be left behind on a connection that another request gets. Workers take up what is due
whoever's it is, and write their records by COPY, which PostgreSQL refuses under row-level security: they keep the owner's role.
`DATABASE_URL=postgresql://… python -m tests.load.row_security [--short]`, on a database that may be spoilt.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from typing import Any
from unittest.mock import patch

from tests.load.estate import CHAIN
from tests.load.gates import Figures, percentile, wait_until
from tests.load.servers import stand_alone

ROLE = "auterity_app"
NOT_GUARDED = {"custom_roles", "api_keys"}  # Read before it is known whose request this is.
MODES = ("none", "session", "local")


def measure(short: bool) -> Figures:
    from django.db import connection
    from django.test import override_settings

    from tests.api.people import founder

    if connection.vendor != "postgresql":
        return {"skipped": "only PostgreSQL has row-level security", "passed": True}
    lists, runs, rounds = (100, 60, 4) if short else (300, 300, 5)
    stamp = time.time_ns()
    found: dict[str, dict[str, list[float]]] = {mode: {"list_ms": [], "accept_ms": [], "run_s": []} for mode in MODES}
    with override_settings(RATE_LIMITS=False, ALLOWED_HOSTS=["*"]):
        person, other = (founder(f"{name}-{stamp}@example.com", name) for name in ("walls", "neighbours"))
        own, theirs = (each.api.made("/api/workflows", {**CHAIN, "name": "Walled"})["id"] for each in (person, other))
        for each, workflow in ((person, own), (other, theirs)):
            fill(each, workflow, 2_000)
        make_role()
        for _ in range(rounds):
            for mode in MODES:
                with walls(mode):
                    found[mode]["list_ms"] += timed(
                        lists, lambda: ask(person, f"/api/workflows/{own}/executions?page_size=20")
                    )
                    accepted, seconds = run_all(person, own, runs)
                    found[mode]["accept_ms"] += accepted
                    found[mode]["run_s"].append(seconds / runs)
                    blind = invisible(person, theirs) if mode != "none" else True
                    assert blind, "the wall does not hold"
    figures: dict[str, Any] = {"rounds": rounds, "tables": len(tables()), "lists": lists, "runs": runs}
    for mode in MODES:
        for name in ("list_ms", "accept_ms"):
            # The fastest tenth too: what other work on the machine cannot have made.
            figures[f"{name}_p10_{mode}"], figures[f"{name}_p50_{mode}"] = (
                percentile(found[mode][name], each) for each in (10, 50)
            )
        figures[f"run_ms_{mode}"] = round(1000 * min(found[mode]["run_s"]), 2)
    return {**figures, "passed": True}


def tables() -> list[str]:
    """Every table that names an organization through `TenantOwned`."""
    from django.apps import apps

    from auterity.kernel.tenancy import TenantOwned

    owned = {each._meta.db_table for each in apps.get_models() if issubclass(each, TenantOwned)}
    return sorted(owned - NOT_GUARDED)


def make_role() -> None:
    """A role that owns nothing: owners and superusers walk through the wall."""
    execute(f"DO $$ BEGIN CREATE ROLE {ROLE}; EXCEPTION WHEN duplicate_object THEN NULL; END $$")
    execute(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {ROLE}")
    execute(f"GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO {ROLE}")


@contextmanager
def walls(mode: str) -> Iterator[None]:
    """The policies on, every connection in the role, and each request said whose it is."""
    from django.db import connection
    from django.db.backends.signals import connection_created

    from api.tokens import Bearer

    for table in tables() if mode != "none" else ():
        execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")
        execute(
            f"CREATE POLICY own ON {table} USING "
            "(organization_id = nullif(current_setting('app.organization', true), '')::uuid)"
        )
    asking = threading.get_ident()

    def enter(connection: Any, **_about: Any) -> None:
        if threading.get_ident() == asking:  # The worker's COPY is refused to any role that the wall stands for.
            with connection.cursor() as cursor:
                cursor.execute(f"SET ROLE {ROLE}")

    prove = Bearer.actor

    def proved(bearer: Bearer) -> Any:
        actor = prove(bearer)
        with connection.cursor() as cursor:
            local = mode == "local"
            cursor.execute("SELECT set_config('app.organization', %s, %s)", [str(actor.organization_id), local])
        return actor

    with ExitStack() as stack:
        connection_created.connect(enter)
        stack.callback(connection_created.disconnect, enter)
        if mode != "none":
            stack.enter_context(patch.object(Bearer, "actor", proved))
        stack.enter_context(patch(f"{__name__}.MODE", mode))
        connection.close()
        try:
            yield
        finally:
            connection_created.disconnect(enter)
            connection.close()
            for table in tables() if mode != "none" else ():
                execute(f"DROP POLICY own ON {table}")
                execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY")


MODE = "none"


def ask(person: Any, path: str, body: Any = None) -> Any:
    """One request; in one transaction where the organization is set inside it."""
    from django.db import transaction

    with transaction.atomic() if MODE == "local" else nullcontext():
        answer = person.api.get(path) if body is None else person.api.post(path, body)
    assert answer.status_code in (200, 202), (answer.status_code, answer.content[:300])
    return answer


def invisible(person: Any, workflow: str) -> bool:
    """Whether a query that forgot whose rows it may see, sees none of another organization's."""
    from django.db import transaction

    from workflows.models import Workflow

    with transaction.atomic():
        ask(person, "/api/workflows?page_size=1")
        return not Workflow.unscoped.filter(id=workflow).exists()


def run_all(person: Any, workflow: str, count: int) -> tuple[list[float], float]:
    """Accept so many runs, and let one worker of this process bring all to their end."""
    from auterity.embedded import start_runner, stop_runner

    accepted = timed(count, lambda: ask(person, f"/api/workflows/{workflow}/execute", {"inputs": {"a": 1}}))
    begun = time.monotonic()
    runner = start_runner()
    try:
        assert wait_until(lambda: not unfinished(workflow), 120), "runs did not end"
    finally:
        stop_runner(runner)
    return accepted, time.monotonic() - begun


def unfinished(workflow: str) -> int:
    return int(
        execute("SELECT count(*) FROM workflow_executions WHERE workflow_id = %s AND due_at IS NOT NULL", [workflow])
    )


def fill(person: Any, workflow: str, count: int) -> None:
    """Executions that ended long ago, so that a list has something to leave out."""
    from django.utils import timezone

    from executions.models import Execution
    from workflows.models import WorkflowVersion

    version = WorkflowVersion.unscoped.filter(workflow_id=workflow).latest("number")
    about = {"organization_id": person.actor.organization_id, "workflow_id": workflow, "version_id": version.pk}
    now = timezone.now()
    rows = [
        Execution(**about, status="completed", input_data={}, deadline_at=now, completed_at=now, started_at=now)
        for _ in range(count)
    ]
    Execution.unscoped.bulk_create(rows, batch_size=1000)


def execute(sql: str, params: Any = None) -> Any:
    """As the owner, on a connection of its own."""
    import psycopg
    from django.db import connection

    about = connection.get_connection_params()
    known = {name: about[name] for name in ("dbname", "user", "password", "host", "port") if about.get(name)}
    with psycopg.connect(**known, autocommit=True) as owner:
        cursor = owner.execute(sql, params)
        return cursor.fetchone()[0] if cursor.description else None


def timed(count: int, act: Callable[[], Any]) -> list[float]:
    found = []
    for _ in range(count):
        begun = time.perf_counter()
        act()
        found.append(1000 * (time.perf_counter() - begun))
    return found


if __name__ == "__main__":
    stand_alone("row_security", measure)
