"""Small workflows, throw-away node types, and waiting with a bound."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from django.db import connection

from accounts import services as accounts
from auterity.kernel.access import ROLE_PERMISSIONS, Actor, Role
from engine.node import Effect, NodeConfig, Outcome, Step, node
from engine.registry import NODES
from executions import services
from executions.models import LIVE, Execution, ExecutionLog, ExecutionStep
from workflows import services as workflows
from workflows.models import Workflow

SECONDS = 20.0  # what a test waits for at most

_Found = TypeVar("_Found")


class Free(NodeConfig):
    """Settings of a throw-away node."""

    value: Any = None
    url: str = ""


def until(look: Callable[[], _Found], seconds: float = SECONDS, what: str = "it") -> _Found:
    """The first true answer. Fails when there is none in time."""
    end = time.monotonic() + seconds
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError(f"{what} did not happen within {seconds} s")
        time.sleep(0.01)


@contextmanager
def registered(
    name: str,
    run: Callable[[Any, Step], Outcome],
    *,
    effect: Effect = Effect.PURE,
    config: type[NodeConfig] = Free,
    lookup: Callable[[Any, Step], Outcome | None] | None = None,
) -> Iterator[None]:
    """A node type that exists for a while."""
    node(name, title=name.title(), config=config, effect=effect, lookup=lookup)(run)
    try:
        yield
    finally:
        NODES._types.remove(NODES._by_name.pop(name))


def flow(nodes: Mapping[str, Any], *edges: str, **more: Any) -> dict[str, Any]:
    """`nodes` are id to type, or to (type, configuration); an edge is `a > b` or `a.port > b`."""
    drawn = []
    for name, about in nodes.items():
        kind, config = (about, {}) if isinstance(about, str) else about
        drawn.append({"id": name, "type": kind, "title": name, "config": config})
    lines = []
    for edge in edges:
        left, target = edge.split(" > ")
        source, _, port = left.partition(".")
        lines.append(
            {"id": f"{source}-{target}", "source_node_id": source, "source_port": port, "target_node_id": target}
        )
    return {"nodes": drawn, "edges": lines, **more}


def person(email: str = "ann@example.com") -> Actor:
    made = accounts.register(
        email=email, password="correct horse 9", first_name="Ann", last_name="Ames", company="AutoDealer Inc."
    )
    return Actor(made.user.id, made.organization.id, Role.ADMIN, ROLE_PERMISSIONS[Role.ADMIN], email)


def save(actor: Actor, definition: dict[str, Any]) -> Workflow:
    return workflows.create_workflow(actor=actor, name="A workflow", definition=definition)


def start(actor: Actor, definition: dict[str, Any] | Workflow, inputs: Any = None, **more: Any) -> Execution:
    """Accept a run, of a new workflow unless a stored one is given."""
    workflow = definition if isinstance(definition, Workflow) else save(actor, definition)
    return services.start(actor=actor, workflow_id=workflow.id, inputs=inputs or {}, **more)


def fresh(execution: Execution) -> Execution:
    return Execution.unscoped.get(id=execution.id)


def ended(execution: Execution, seconds: float = SECONDS) -> Execution:
    """The execution once it has ended."""
    until(lambda: fresh(execution).status not in LIVE, seconds, f"the end of {execution.id}")
    return fresh(execution)


def steps_of(execution: Execution) -> dict[str, ExecutionStep]:
    rows = list(ExecutionStep.objects.filter(execution=execution).order_by("id"))
    assert len({(row.node_id, row.iteration) for row in rows}) == len(rows)
    return {row.node_id: row for row in rows}


def lines_of(execution: Execution) -> list[ExecutionLog]:
    """Its journal, which counts from 1 without gaps and ends where the execution says it ends."""
    lines = list(ExecutionLog.unscoped.filter(execution=execution).order_by("seq"))
    assert [line.seq for line in lines] == list(range(1, len(lines) + 1))
    assert fresh(execution).seq == len(lines)
    return lines


def kinds_of(execution: Execution) -> list[tuple[str, str | None]]:
    return [(line.kind, line.node_id) for line in lines_of(execution)]


def make_due(execution: Execution) -> None:
    """As if the lease, or the back-off, had run out."""
    past = "2000-01-01 00:00:00.000000+00" if connection.vendor == "postgresql" else "2000-01-01 00:00:00.000000"
    with connection.cursor() as cursor:
        key = execution.id if connection.vendor == "postgresql" else execution.id.hex
        cursor.execute("UPDATE workflow_executions SET due_at = %s WHERE id = %s AND due_at IS NOT NULL", [past, key])
