"""A workflow's definition as of any version: the nearest one that is stored whole, and the edits since.

What was worked out is kept in memory, which is safe: what a version's number stands for never changes, and only what is
committed is kept.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from functools import partial
from typing import Any
from uuid import UUID

import orjson
from django.db import transaction

from workflows.errors import VersionNotFound
from workflows.merge import EDITS, State, Step, applied
from workflows.models import Workflow, WorkflowOperation, WorkflowVersion

_KEPT = 16  # drafts a process remembers


class _Recent:
    """The newest known state of the workflows that were worked on last."""

    def __init__(self) -> None:
        self._states: OrderedDict[UUID, tuple[int, State]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, workflow_id: UUID) -> tuple[int, State] | None:
        with self._lock:
            return self._states.get(workflow_id)

    def put(self, workflow_id: UUID, number: int, state: State) -> None:
        with self._lock:
            known = self._states.get(workflow_id)
            if known is None or known[0] <= number:
                self._states[workflow_id] = (number, state)
                self._states.move_to_end(workflow_id)
                while len(self._states) > _KEPT:
                    self._states.popitem(last=False)


_recent = _Recent()


def state_of(workflow: Workflow, number: int | None = None) -> State:
    """The definition as of a version, the newest where no number is given. Raises `VersionNotFound`."""
    wanted = workflow.version if number is None else number
    rows = WorkflowVersion.objects.of(workflow.organization_id).filter(workflow=workflow, number__lte=wanted)
    stored = rows.order_by("-number").values_list("number", flat=True).first()
    if stored is None or wanted > workflow.version:
        raise VersionNotFound
    known = _recent.get(workflow.id)
    if known is not None and stored <= known[0] <= wanted:
        base, state = known
    else:
        base, state = stored, State.of(rows.get(number=stored).definition)
    edits = edits_between(workflow, base, wanted)
    if base + len(edits) != wanted:
        raise VersionNotFound
    state = applied(state, [step_of(each) for each in edits])
    remember(workflow, wanted, state)
    return state


def remember(workflow: Workflow, number: int, state: State) -> None:
    """Keep a state in memory once the open transaction commits."""
    transaction.on_commit(partial(_recent.put, workflow.id, number, state))


def version_of(workflow: Workflow, number: int, state: State | None = None) -> WorkflowVersion:
    """A version that has no row, as it would be stored; `state` where it is known already. Raises `VersionNotFound`."""
    definition = (state or state_of(workflow, number)).definition()
    (last,) = edits_between(workflow, number - 1, number)
    return WorkflowVersion(
        id=last.id,
        created_at=last.created_at,
        organization_id=workflow.organization_id,
        workflow=workflow,
        number=number,
        definition=definition,
        checksum=checksum(definition),
        created_by_id=last.user_id,
    )


def edits_between(workflow: Workflow, after: int, until: int) -> list[WorkflowOperation]:
    """The edits that made the versions after one and up to another, in order."""
    if after >= until:
        return []
    found = WorkflowOperation.objects.of(workflow.organization_id).filter(
        workflow=workflow, version__gt=after, version__lte=until, operation__in=EDITS
    )
    return list(found.order_by("revision"))


def step_of(row: WorkflowOperation) -> Step:
    """An edit as it is applied. The whole id stands in its data, where the indexed one may be cut."""
    return Step(row.operation, key_of(row), row.data, row.before)


def key_of(row: WorkflowOperation) -> str:
    held = {**row.before, **row.data}
    thing = held.get("node") or held.get("edge")
    return str(thing["id"]) if thing else row.subject


def checksum(definition: dict[str, Any]) -> str:
    return hashlib.sha256(orjson.dumps(definition, option=orjson.OPT_SORT_KEYS)).hexdigest()
