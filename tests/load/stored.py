"""Many stored executions, made in the database itself: copies of one that the engine really wrote.

`python -m tests.load.stored WORKFLOW COUNT` copies a completed execution of a workflow in the database of the environment.
"""

from __future__ import annotations

import sys
from typing import Any


def id_at(moment: str) -> str:
    """SQL for a UUID of version 7 (RFC 9562, section 5.7) of that moment, as the product makes them; lists go by it."""
    milliseconds = f"lpad(to_hex(floor(extract(epoch FROM {moment}) * 1000)::bigint), 12, '0')"
    chance = "md5(random()::text)"
    return f"({milliseconds} || '7' || substr({chance}, 1, 3) || '8' || substr({chance}, 1, 15))::uuid"


def copies(template: Any, count: int, *, spread_seconds: float = 0.0, lines: bool = True) -> None:
    """Store `count` copies of an execution with its steps and journal, accepted over the last `spread_seconds`."""
    from django.db import connection

    from executions.models import Execution, ExecutionLog, ExecutionStep

    postgres = connection.vendor == "postgresql"
    numbers = (
        f"(SELECT generate_series(1, {count}) AS n)"
        if postgres
        else f"(WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < {count}) SELECT n FROM c)"  # noqa: S608  A number.
    )
    part = spread_seconds / max(1, count)
    earlier = f"t.created_at - n * {part} * interval '1 second'" if postgres else "t.created_at"
    key = template.id if postgres else template.id.hex
    new_id, its_id = (id_at(earlier), id_at("e.created_at")) if postgres else ("lower(hex(randomblob(16)))",) * 2
    with connection.cursor() as cursor:
        columns = _columns(Execution, id=new_id, created_at=earlier)
        cursor.execute(
            f"INSERT INTO workflow_executions ({', '.join(columns)}) SELECT {', '.join(columns.values())} "  # noqa: S608  Ours.
            f"FROM workflow_executions t CROSS JOIN {numbers} AS numbers WHERE t.id = %s",
            [key],
        )
        wanted: list[tuple[Any, dict[str, str]]] = [(ExecutionStep, {"execution_id": "e.id"})]
        if lines:
            wanted.append((ExecutionLog, {"execution_id": "e.id", "id": its_id, "created_at": "e.created_at"}))
        for model, changed in wanted:
            columns = _columns(model, **changed)
            if model is ExecutionStep:
                del columns["id"]
            cursor.execute(
                f"INSERT INTO {model._meta.db_table} ({', '.join(columns)}) SELECT {', '.join(columns.values())} "  # noqa: S608  Ours.
                f"FROM {model._meta.db_table} t CROSS JOIN workflow_executions e "
                "WHERE t.execution_id = %s AND e.workflow_id = (SELECT workflow_id FROM workflow_executions WHERE id = %s) "
                f"AND NOT EXISTS (SELECT 1 FROM {model._meta.db_table} x WHERE x.execution_id = e.id)",
                [key, key],
            )
        if postgres:
            cursor.execute("ANALYZE workflow_executions, execution_steps, execution_logs")
        else:
            cursor.execute("ANALYZE")


def _columns(model: Any, **changed: str) -> dict[str, str]:
    return {field.column: changed.get(field.column, f"t.{field.column}") for field in model._meta.concrete_fields}


if __name__ == "__main__":
    import django

    django.setup()
    from executions.models import Execution

    workflow, count = sys.argv[1:]
    done = Execution.unscoped.filter(workflow_id=workflow, status="completed").latest("created_at")
    copies(done, int(count), spread_seconds=86_400.0 * 30, lines=False)
