"""Executing a workflow and reading what came of it: `/api/workflows/{id}/execute`, `/api/workflows/executions/…`, `/api/logs`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from django.conf import settings

from accounts.errors import NotAuthenticated, TierTooLow
from api.auterity.bodies import executions as bodies
from api.auterity.dialect import AuterityView
from api.auterity.pages import PageQuery, cut, cut_endless
from api.base import Answer, Call, operation
from api.later import Later, answer_later
from auterity.kernel.access import Actor, Permission
from auterity.kernel.errors import InvalidInput, PermissionDenied
from executions import control, selectors, services
from executions.errors import (
    ExecutionEnded,
    ExecutionNotFound,
    LogNotFound,
    NotPaused,
    QueueFull,
    TooManyQueued,
    TooManyStarts,
)
from executions.live import topic_of
from executions.models import LIVE, Execution, ExecutionLog
from executions.payloads import shown
from executions.selectors import ExecutionView as View
from executions.selectors import StepView
from workflows.errors import WorkflowInactive, WorkflowNotFound


def when_ended(actor: Actor, execution_id: UUID, finish: Callable[[], None]) -> Later:
    """Finish an answer once the execution has ended, or when a caller has waited long enough."""
    return Later(
        topic=topic_of(execution_id),
        wanted=lambda fact: fact["status"] not in LIVE,
        happened=lambda: selectors.has_ended(actor=actor, execution_id=execution_id),
        finish=finish,
        seconds=settings.ENGINE["sync_wait_seconds"],
    )


TOO_MUCH = (TooManyQueued, TooManyStarts, QueueFull)
READING = (NotAuthenticated, PermissionDenied, ExecutionNotFound)


class ExecuteView(AuterityView):
    @operation(
        needs=Permission.WORKFLOW_EXECUTE,
        summary="Execute a workflow",
        id="workflow_execute",
        body=bodies.Execute,
        answers={202: bodies.Accepted, 200: bodies.ExecutionBody},
        raises=[
            NotAuthenticated,
            PermissionDenied,
            TierTooLow,
            WorkflowNotFound,
            WorkflowInactive,
            InvalidInput,
            *TOO_MUCH,
        ],
        creates=True,
    )
    def post(self, call: Call[bodies.Execute], workflow_id: UUID) -> Answer:
        """202 once the run is stored; it cannot be lost from then on. With `execution_mode: sync` the finished run with 200,
        or 202 when it takes longer. Without an Idempotency-Key, repeating a request may start a second run."""
        execution = services.start(
            actor=call.actor,
            workflow_id=workflow_id,
            inputs=call.body.given,
            context=call.body.context,
            webhook_url=call.body.webhook_url or "",
        )
        return Answer(accepted(execution), 202)

    def finalize_response(self, request: Any, response: Any, *args: Any, **kwargs: Any) -> Any:
        """A synchronous run is awaited after its acceptance is committed, whether or not a key was given."""
        answer = super().finalize_response(request, response, *args, **kwargs)
        if response.status_code == 202 and request.data.get("execution_mode") == "sync":
            actor, execution_id = request.user, UUID(response.data["execution_id"])

            def finish() -> None:
                execution = selectors.get_execution(actor=actor, execution_id=execution_id)
                ended = execution.status not in LIVE
                body = detail(selectors.view_of(execution)) if ended else accepted(execution)
                response.data = self.shown(body.model_dump(mode="json"))
                response.status_code = 200 if ended else 202

            answer_later(request._request, response, when_ended(actor, execution_id, finish))
        return answer


class ExecutionsView(AuterityView):
    @operation(
        needs=Permission.EXECUTION_READ,
        summary="List a workflow's executions",
        query=bodies.ExecutionQuery,
        answers={200: bodies.ExecutionPage},
        raises=[NotAuthenticated, PermissionDenied, WorkflowNotFound, InvalidInput],
    )
    def get(self, call: Call[None], workflow_id: UUID) -> Answer:
        """Newest first."""
        rows, total = selectors.list_executions(actor=call.actor, workflow_id=workflow_id, status=call.query.status)
        found, page = cut(rows, call.query, default_size=self.edition.page_size, total=total)
        return Answer(
            bodies.ExecutionPage(executions=[bodies.ExecutionSummary(**_summary(each)) for each in found], **page)
        )


class ExecutionView(AuterityView):
    @operation(
        needs=Permission.EXECUTION_READ,
        summary="Read an execution",
        answers={200: bodies.ExecutionBody},
        raises=READING,
    )
    def get(self, call: Call[None], execution_id: UUID) -> Answer:
        """Its state, its steps with what went in and came out, and what it cost."""
        return Answer(detail(selectors.describe(actor=call.actor, execution_id=execution_id)))


class StepsView(AuterityView):
    @operation(
        needs=Permission.EXECUTION_READ,
        id="execution_step_list",
        summary="The steps of an execution",
        answers={200: bodies.Steps},
        raises=READING,
    )
    def get(self, call: Call[None], execution_id: UUID) -> Answer:
        """In the order they began; skipped ones last."""
        view = selectors.describe(actor=call.actor, execution_id=execution_id)
        return Answer(bodies.Steps(execution_id=execution_id, steps=[_step(each) for each in view.steps]))


class CancelView(AuterityView):
    @operation(
        needs=Permission.WORKFLOW_EXECUTE,
        id="execution_cancel",
        summary="Cancel an execution",
        answers={200: bodies.ExecutionBody},
        raises=[*READING, ExecutionEnded],
    )
    def post(self, call: Call[None], execution_id: UUID) -> Answer:
        """At once, whatever it is doing. A call that is already out at another system cannot be taken back."""
        return Answer(detail(selectors.view_of(services.cancel(actor=call.actor, execution_id=execution_id))))


class PauseView(AuterityView):
    @operation(
        needs=Permission.WORKFLOW_EXECUTE,
        id="execution_pause",
        summary="Pause an execution",
        answers={200: bodies.ExecutionBody},
        raises=[*READING, ExecutionEnded],
    )
    def post(self, call: Call[None], execution_id: UUID) -> Answer:
        """It begins no further step; steps under way end and are recorded. The time does not count against its deadline."""
        return Answer(detail(selectors.view_of(control.pause(actor=call.actor, execution_id=execution_id))))


class ResumeView(AuterityView):
    @operation(
        needs=Permission.WORKFLOW_EXECUTE,
        id="execution_resume",
        summary="Resume a paused execution",
        answers={200: bodies.ExecutionBody},
        raises=[*READING, ExecutionEnded, NotPaused],
    )
    def post(self, call: Call[None], execution_id: UUID) -> Answer:
        """It goes on where it was paused."""
        return Answer(detail(selectors.view_of(control.resume(actor=call.actor, execution_id=execution_id))))


class RunAgainView(AuterityView):
    @operation(
        needs=Permission.WORKFLOW_EXECUTE,
        summary="Run again with the same inputs",
        id="execution_run_again",
        answers={202: bodies.Accepted},
        raises=[*READING, TierTooLow, WorkflowNotFound, WorkflowInactive, *TOO_MUCH],
        creates=True,
    )
    def post(self, call: Call[None], execution_id: UUID) -> Answer:
        """A new execution, on the workflow's published version."""
        return Answer(accepted(services.run_again(actor=call.actor, execution_id=execution_id)), 202)


class ExecutionLogsView(AuterityView):
    @operation(
        needs=(Permission.EXECUTION_READ, Permission.LOGS_READ),
        id="execution_log_list",
        summary="The log of an execution",
        query=PageQuery,
        answers={200: bodies.LogPage},
        raises=[*READING, InvalidInput],
    )
    def get(self, call: Call[None], execution_id: UUID) -> Answer:
        """Newest first."""
        execution = selectors.get_execution(actor=call.actor, execution_id=execution_id)
        rows = selectors.list_logs(actor=call.actor, execution_id=execution_id)
        found, page = cut(rows, call.query, default_size=self.edition.page_size, total=execution.seq)
        return Answer(bodies.LogPage(logs=[_log(each) for each in found], **page))


class LogsView(AuterityView):
    @operation(
        needs=Permission.LOGS_READ,
        summary="Search the execution logs",
        query=bodies.LogQuery,
        answers={200: bodies.LogPage},
        raises=[NotAuthenticated, PermissionDenied, InvalidInput, LogNotFound],
    )
    def get(self, call: Call[None]) -> Answer:
        """Newest first unless `sort` says otherwise, across the organization's executions. Far back, `cursor` is faster than
        `page`."""
        names = ("execution_id", "workflow_id", "level", "node_id", "since", "until", "search")
        filters = {name: getattr(call.query, name) for name in names}
        rows = selectors.list_logs(actor=call.actor, oldest_first=call.query.sort == "oldest", **filters)
        after = None
        if call.query.cursor is not None:
            after = selectors.logs_after(rows=rows, line=selectors.get_log(actor=call.actor, log_id=call.query.cursor))
        found, page, exact = cut_endless(rows, call.query, default_size=self.edition.page_size, after=after)
        following = found[-1].id if found and page["pagination"].has_next else None
        return Answer(
            bodies.LogPage(logs=[_log(each) for each in found], total_exact=exact, next_cursor=following, **page)
        )


class LogView(AuterityView):
    @operation(
        needs=Permission.LOGS_READ,
        summary="Read a log line",
        answers={200: bodies.LogBody},
        raises=[NotAuthenticated, PermissionDenied, LogNotFound],
    )
    def get(self, call: Call[None], log_id: UUID) -> Answer:
        """One line of an execution's log."""
        return Answer(_log(selectors.get_log(actor=call.actor, log_id=log_id)))


def accepted(execution: Execution) -> bodies.Accepted:
    return bodies.Accepted(
        execution_id=execution.id,
        workflow_id=execution.workflow_id,
        status=cast("bodies.ExecutionStatus", execution.status),
        started_at=execution.started_at,
        created_at=execution.created_at,
        input_data=execution.input_data,
    )


def detail(view: View) -> bodies.ExecutionBody:
    """The whole execution in both documents' words; also the socket's snapshot."""
    execution = view.execution
    running = [each.node_id for each in view.steps if each.status == "running"]
    return bodies.ExecutionBody(
        **_summary(execution),
        version_id=execution.version_id,
        rerun_of=execution.rerun_of,
        input_data=execution.input_data,
        output_data=shown(execution.output_data),
        error_code=execution.error_code or None,
        current_step=running[0] if running else None,
        waiting_for=view.waiting_for,
        steps=[_step(each) for each in view.steps],
        metrics=bodies.MetricsBody(
            total_duration_ms=view.metrics.total_duration_ms,
            ai_processing_time_ms=view.metrics.ai_processing_time_ms,
            api_calls_count=view.metrics.api_calls_count,
            tokens_used=view.metrics.tokens_used,
            cost_estimate=view.metrics.cost_estimate,
        ),
    )


def _summary(execution: Execution) -> dict[str, Any]:
    return {
        "id": execution.id,
        "workflow_id": execution.workflow_id,
        "status": execution.status,
        "progress": execution.progress,
        "started_at": execution.started_at,
        "completed_at": execution.completed_at,
        "duration": _seconds(execution.started_at, execution.completed_at),
        "error_message": execution.error_message or None,
        "created_by": execution.created_by_id,
        "created_at": execution.created_at,
    }


def _step(step: StepView) -> bodies.StepBody:
    seconds = _seconds(step.started_at, step.completed_at)
    return bodies.StepBody(
        step_id=step.node_id,
        node_id=step.node_id,
        node_name=step.node_name,
        node_type=step.node_type,
        status=cast("bodies.StepStatus", step.status),
        attempt=step.attempt,
        input_data=step.input,
        output_data=step.output,
        output=step.output,
        error_code=step.error_code or None,
        error_message=step.error_message or None,
        started_at=step.started_at,
        completed_at=step.completed_at,
        duration=seconds,
        duration_ms=None if seconds is None else round(seconds * 1000, 3),
        kept_from=step.kept_from,
    )


def _log(line: ExecutionLog) -> bodies.LogBody:
    return bodies.LogBody(
        id=line.id,
        execution_id=line.execution_id,
        workflow_id=line.workflow_id,
        seq=line.seq,
        node_id=line.node_id,
        level=cast("bodies.LogLevel", line.level),
        message=line.message,
        data=line.data,
        created_at=line.created_at,
    )


def _seconds(start: datetime | None, end: datetime | None) -> float | None:
    return round((end - start).total_seconds(), 6) if start and end else None
