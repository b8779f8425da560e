"""The door of a `webhook-trigger`: who may call, which calls are repeats, and what is started.

A caller sends data and nothing else: what runs is the published version. Every flaw of its proof gets the same refusal.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from uuid import UUID

import orjson
import structlog
from pydantic import ValidationError

from auterity.kernel.access import Actor
from auterity.kernel.errors import InvalidInput
from engine.expressions import ExpressionError, ExpressionProblem, Scope, compile_expression, compile_template
from engine.registry import NODES
from executions import call_proofs, services
from executions.errors import WebhookRefused
from executions.models import Execution, ExecutionStatus, Origin
from executions.payloads import Payloads
from executions.receipts import once
from workflows.errors import WorkflowNotFound
from workflows.models import Workflow, WorkflowVersion
from workflows.sealing import reveal

log = structlog.get_logger(__name__)

WEBHOOK = "webhook-trigger"
KEYS = ("idempotency-key", "x-webhook-id", call_proofs.STANDARD_ID)


@dataclass(frozen=True, slots=True)
class Door:
    """One trigger of one active workflow."""

    workflow: Workflow
    node_id: str
    config: Any
    actor: Actor


@dataclass(frozen=True, slots=True)
class IncomingCall:
    """What a caller sent. `headers` by lower-case name."""

    body: Any
    headers: Mapping[str, str]
    query: Mapping[str, Any]
    method: str


def door_of(*, workflow_id: UUID, node_id: str) -> Door:
    """Raises `WorkflowNotFound` unless this is a webhook of the published version of an active workflow."""
    workflow = (
        Workflow.unscoped.filter(id=workflow_id, is_active=True, deleted_at=None, organization__is_active=True)
        .order_by()
        .first()
    )
    published = workflow.published_version if workflow is not None else None
    config = _triggers_of(workflow_id, published).get(node_id) if published is not None else None
    if workflow is None or config is None:
        raise WorkflowNotFound
    return Door(workflow, node_id, config, services.owner_of(workflow))


def admit(door: Door, *, raw: bytes, headers: Mapping[str, str]) -> None:
    """Check the caller's proof over the body as it came. Raises `WebhookRefused`, whatever is wrong."""
    secret = reveal(door.workflow.organization_id, door.config.secret)
    if not call_proofs.proves(door.config, secret, raw=raw, headers=headers):
        raise WebhookRefused


def accept(door: Door, call: IncomingCall) -> tuple[Execution, bool]:
    """Start an execution, or find the one that this call's first coming started: (execution, whether it is a repeat).

    Raises `WorkflowNotFound`, `WorkflowInactive`, `InvalidInput`, and what `admission.admit` raises when there is too much to do.
    """
    hidden = call_proofs.SECRETS | {door.config.signature_header.lower()}
    kept = {name: value for name, value in call.headers.items() if name not in hidden}
    seen = {"body": call.body, "headers": kept, "query": dict(call.query), "method": call.method}
    return once(
        actor=door.actor,
        workflow=door.workflow,
        node_id=door.node_id,
        key=_key(door, seen),
        start=lambda: services.start(
            actor=door.actor,
            workflow_id=door.workflow.id,
            inputs=call.body if isinstance(call.body, dict) else {"body": call.body},
            context={"webhook": seen},
            origin=Origin.WEBHOOK,
        ),
    )


def response_of(door: Door, execution: Execution) -> tuple[Any, bool]:
    """What the trigger's `response` says of a completed run (its output when it says nothing), and whether it could be said."""
    if execution.status != ExecutionStatus.COMPLETED:
        return None, False
    output = Payloads(execution.organization_id, execution.id).load(execution.output_data)
    if door.config.response is None:
        return output, True
    scope = Scope(input=output, inputs=execution.input_data, context=execution.context)
    try:
        return compile_template(door.config.response).render(scope), True
    except (ExpressionError, ExpressionProblem) as error:
        log.warning("webhook_response_failed", execution=str(execution.id), error=error.message)
        return None, False


# -- inside ----------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=1024)
def _triggers_of(workflow_id: UUID, number: int) -> Mapping[str, Any]:
    """Settings of a version's webhooks by node. A version never changes; whatever id a caller tries, it is read once."""
    version = WorkflowVersion.unscoped.get(workflow_id=workflow_id, number=number)
    found = {}
    for node in version.definition.get("nodes", []):
        if node.get("type") == WEBHOOK:
            try:
                found[node["id"]] = NODES.get(WEBHOOK).config.model_validate(dict(node.get("config") or {}))
            except ValidationError as error:
                log.warning(
                    "webhook_unreadable", workflow=str(workflow_id), node=node["id"], problems=error.error_count()
                )
    return found


def _key(door: Door, seen: Mapping[str, Any]) -> str:
    """What a repeat of this call has too, hashed; empty when nothing tells repeats."""
    if door.config.deduplicate:
        scope = Scope(input=dict(seen), inputs=dict(seen))
        try:
            value = compile_expression(door.config.deduplicate).evaluate(scope)
        except (ExpressionError, ExpressionProblem) as error:
            raise InvalidInput.of("deduplicate", error.message) from error
        named = ["deduplicate", value]
    else:
        signed = door.config.authentication == "standard-webhooks"  # Nobody can repeat such a call under another id.
        names = (call_proofs.STANDARD_ID,) if signed else KEYS
        value = next((seen["headers"][name] for name in names if seen["headers"].get(name)), None)
        named = ["header", value]
    return "" if value is None else hashlib.sha256(orjson.dumps(named, option=orjson.OPT_SORT_KEYS)).hexdigest()
