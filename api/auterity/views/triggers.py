"""The address that starts a workflow from outside: `/api/workflows/{id}/triggers/{node_id}`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, cast
from urllib.parse import parse_qsl
from uuid import UUID

from rest_framework.request import Request
from rest_framework.response import Response

from api.auterity.bodies import triggers as bodies
from api.auterity.dialect import AuterityView
from api.auterity.views.executions import when_ended
from api.base import Answer, Call, operation
from api.later import Later
from api.needs import OPEN
from api.parsers import read_json
from api.problems import BodyTooLarge, MalformedBody, UnsupportedMediaType
from auterity.kernel.errors import InvalidInput
from executions import incoming, selectors
from executions.errors import QueueFull, TooManyQueued, TooManyStarts, WebhookRefused, WorkflowBraked
from executions.models import LIVE, Execution
from workflows.errors import WorkflowInactive, WorkflowNotFound

MAX_BODY_BYTES = 1_000_000  # The 1 MiB that an execution's context may have, less what its headers may take.
MAX_FORM_FIELDS = 1000
FORM = "application/x-www-form-urlencoded"


class WebhookView(AuterityView):
    public = True

    @operation(
        needs=OPEN,
        id="workflow_webhook_trigger",
        summary="Call a webhook trigger",
        raw_body=bodies.WebhookBody,
        answers={202: bodies.WebhookAccepted, 200: bodies.WebhookAnswer},
        raises=[
            WebhookRefused,
            WorkflowNotFound,
            WorkflowInactive,
            TooManyQueued,
            TooManyStarts,
            WorkflowBraked,
            QueueFull,
        ],
    )
    def post(self, call: Call[None], workflow_id: UUID, node_id: str) -> Answer:
        """Starts the workflow with the body as its inputs: a JSON object, a form, or text (then `inputs.body`).

        The trigger's settings say how the caller proves itself: a token in `X-Webhook-Token` or as bearer, or
        `X-Webhook-Signature: sha256=<hex HMAC-SHA256 of the raw body>` (or the header it names), with `X-Webhook-Timestamp` in
        unix seconds where a time of sending is wanted, or Standard Webhooks' `webhook-id`, `webhook-timestamp` and
        `webhook-signature`. A call that comes again (by the trigger's own rule, `Idempotency-Key`
        `X-Webhook-Id` or `webhook-id`) starts nothing and is answered with the first run.
        """
        door = incoming.door_of(workflow_id=workflow_id, node_id=node_id)
        raw = _raw(call.request)
        headers = {name.lower(): value for name, value in call.request.headers.items()}
        incoming.admit(door, raw=raw, headers=headers)
        came = incoming.IncomingCall(_read(call.request, raw), headers, _query(call.request), "POST")
        if any("\x00" in text for text in (*headers.values(), *_texts(came.query))):
            raise MalformedBody("The request holds a NUL character.")
        execution, repeated = incoming.accept(door, came)
        if door.config.respond == "when_finished":
            return Answer(_accepted(execution), 202, later=partial(self._when_ended, door, execution))
        return Answer(_accepted(execution), 200 if repeated and execution.status not in LIVE else 202)

    def _when_ended(self, door: incoming.Door, execution: Execution, response: Response) -> Later:
        def finish() -> None:
            now = selectors.get_execution(actor=door.actor, execution_id=execution.id)
            told, can_tell = incoming.response_of(door, now)
            response.data = self.shown(told if can_tell else _accepted(now).model_dump(mode="json"))
            response.status_code = 200 if can_tell or now.status not in LIVE else 202

        return when_ended(door.actor, execution.id, finish)


def _raw(request: Request) -> bytes:
    length = str(request.META.get("CONTENT_LENGTH") or "0")
    if length.isdecimal() and int(length) <= MAX_BODY_BYTES:
        raw = request._request.body
        if len(raw) <= MAX_BODY_BYTES:
            return raw
    raise BodyTooLarge(f"The request body may have {MAX_BODY_BYTES:,} bytes.")


def _read(request: Request, raw: bytes) -> Any:
    """The data in a body. Never a file: a multipart body is not read at all."""
    media = request.content_type.partition(";")[0].strip().lower()
    if not media or media == "application/json" or media.endswith("+json"):
        value = read_json(raw) if raw.strip() else {}
        if not isinstance(value, dict):
            raise InvalidInput.of("body", "The request body must be a JSON object.")
        return value
    if media.startswith("multipart/"):
        raise UnsupportedMediaType("Send the body as JSON, as a form or as text.")
    try:
        text = raw.decode()
        if "\x00" in text:
            raise MalformedBody("The request body holds a NUL character.")
        return _form(text) if media == FORM else text
    except ValueError as error:  # Not UTF-8, or too many fields.
        raise MalformedBody("The request body cannot be read as UTF-8 text of a fair size.") from error


def _form(text: str) -> dict[str, Any]:
    """Field to value, or to the list of its values."""
    return _grouped(parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_FORM_FIELDS, errors="strict"))


def _query(request: Request) -> dict[str, Any]:
    return _grouped([(name, value) for name, values in request.query_params.lists() for value in values])


def _grouped(pairs: list[tuple[str, str]]) -> dict[str, Any]:
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return {name: values[0] if len(values) == 1 else values for name, values in found.items()}


def _texts(query: Mapping[str, Any]) -> list[str]:
    return [each for name, value in query.items() for each in (name, *([value] if isinstance(value, str) else value))]


def _accepted(execution: Execution) -> bodies.WebhookAccepted:
    return bodies.WebhookAccepted(
        execution_id=execution.id, status=cast("Any", execution.status), created_at=execution.created_at
    )
