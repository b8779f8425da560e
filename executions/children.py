"""Runs that a step starts (`sub-workflow`, `map`): accepted once each, inside the organization of the run that starts them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import orjson
from django.conf import settings
from django.db import connection, transaction
from django.db.models import Count, QuerySet

from auterity.kernel.errors import DomainError
from auterity.kernel.events import publish
from auterity.kernel.models import uuid7
from engine.house_ports import EndedRun, NewRun, RunCounts
from engine.ports import Rejected
from executions import admission, journal, services
from executions.accept import insert
from executions.events import ExecutionAccepted
from executions.models import LIVE, Execution, ExecutionStatus, Origin
from executions.payloads import Payloads
from workflows import services as workflows

MAX_DEPTH = 5


@dataclass(frozen=True, slots=True)
class StoredRuns:
    """`engine.ports.RunsPort` of one organization. The connection is given back before the step goes on."""

    organization_id: UUID

    def start(self, key: str, attempt: int, runs: Sequence[NewRun]) -> list[str]:
        """See `engine.ports.RunsPort`."""
        try:
            with transaction.atomic():
                return self._start(key, attempt, runs)
        except DomainError as error:
            raise Rejected(error.message) from error
        finally:
            connection.close()

    def counts(self, key: str, attempt: int) -> RunCounts:
        """See `engine.ports.RunsPort`."""
        try:
            rows = dict(self._of(key, attempt).values_list("status").annotate(count=Count("id")))
        finally:
            connection.close()
        live = sum(rows.get(status, 0) for status in LIVE)
        completed = rows.get(ExecutionStatus.COMPLETED, 0)
        return RunCounts(live, completed, sum(rows.values()) - live - completed)

    def ended(self, key: str, attempt: int, *, after: int = -1, limit: int = 500) -> list[EndedRun]:
        """See `engine.ports.RunsPort`."""
        try:
            rows = self._of(key, attempt).filter(parent_item__gt=after).exclude(status__in=LIVE).order_by("parent_item")
            wanted = rows.values_list("id", "parent_item", "status", "output_data", "error_message")[:limit]
            return [
                EndedRun(str(run), item or 0, status, Payloads(self.organization_id, run).load(output), error)
                for run, item, status, output, error in wanted
            ]
        finally:
            connection.close()

    def cancel(self, key: str, attempt: int) -> None:
        """See `engine.ports.RunsPort`."""
        try:
            for child in self._of(key, attempt).filter(status__in=LIVE):
                journal.end_from_outside(
                    execution=child,
                    status=ExecutionStatus.CANCELLED,
                    code="CANCELLED",
                    message="Cancelled by the step that started it.",
                )
        finally:
            connection.close()

    # -- inside ------------------------------------------------------------------------------------------------------

    def _of(self, key: str, attempt: int) -> QuerySet[Execution]:
        parent_id, node_id = _parent(key)
        return Execution.objects.of(self.organization_id).filter(
            parent_id=parent_id, parent_node=_slot(node_id, attempt)
        )

    def _start(self, key: str, attempt: int, runs: Sequence[NewRun]) -> list[str]:
        parent_id, node_id = _parent(key)
        parent = Execution.objects.of(self.organization_id).get(id=parent_id)
        if parent.depth + 1 > MAX_DEPTH:
            raise Rejected(f"Runs may start runs {MAX_DEPTH} deep. Does this workflow start itself?")
        actor = services.started_by(parent)
        rows, timeouts = [], []
        for run in runs:
            _check_size(run)
            version_id, workflow_id, body = parent.version_id, parent.workflow_id, ""
            if run.workflow_id:
                workflow_id = _workflow_id(run.workflow_id)
                version_id = workflows.runnable_version(actor=actor, workflow_id=workflow_id, number=run.version)
            else:
                body = f"{parent.body}/{node_id}".lstrip("/")
            rows.append(
                Execution(
                    id=uuid7(),
                    organization_id=parent.organization_id,
                    workflow_id=workflow_id,
                    version_id=version_id,
                    status=ExecutionStatus.PENDING,
                    input_data=dict(run.inputs),
                    context=parent.context,
                    created_by_id=parent.created_by_id,
                    origin=Origin.RUN,
                    lane=parent.lane,
                    parent_id=parent_id,
                    parent_node=_slot(node_id, attempt),
                    parent_item=run.item,
                    detached=run.detached,
                    depth=parent.depth + 1,
                    body=body,
                )
            )
            timeouts.append(services.timeout_of(version_id))
        for row in {row.workflow_id: row for row in rows}.values():
            admission.admit(
                organization_id=row.organization_id,
                workflow_id=row.workflow_id,
                execution_id=row.id,
                origin=Origin.RUN,
                depth=row.depth,
                parent_id=None if row.body else parent_id,
                count=len(rows),
                part=True,
            )
        fresh = insert(rows, timeouts)
        if fresh:
            publish(ExecutionAccepted(rows[0].id))
        if len(fresh) == len(rows):
            return [str(each.id) for each in rows]
        stored = dict(self._of(key, attempt).values_list("parent_item", "id"))
        return [str(stored[run.item]) for run in runs]


def _workflow_id(given: str) -> UUID:
    try:
        return UUID(given)
    except ValueError:
        raise Rejected(f"'{given[:60]}' is not the id of a workflow.") from None


def _parent(key: str) -> tuple[UUID, str]:
    """The execution and the node of a step's key, execution/node/iteration."""
    execution_id, _, rest = key.partition("/")
    return UUID(execution_id), rest.rpartition("/")[0]


def _slot(node_id: str, attempt: int) -> str:
    return node_id if attempt == 1 else f"{node_id}#{attempt}"


def _check_size(run: NewRun) -> None:
    limit = settings.ENGINE["max_input_bytes"]
    size = len(orjson.dumps(run.inputs, option=orjson.OPT_NON_STR_KEYS))
    if size > limit:
        raise Rejected(f"The inputs of a run may have {limit:,} bytes; these have {size:,}.")
