"""`/api/ai`: asking language models, and models of the organization's own (000, "AI Service Integration")."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Sequence
from typing import Any, Literal, cast

from accounts.errors import AiQuotaExceeded, NotAuthenticated
from ai import catalog, processing, selectors, services
from ai.errors import (
    AiRefused,
    AiUnavailable,
    CustomModelExists,
    CustomModelNotFound,
    CustomModelRefused,
    ProviderNotAllowed,
)
from ai.models import CustomModel
from ai.processing import Question
from ai.selectors import UsageSum
from ai.services import CustomModelChange
from api.auterity.bodies import ai as bodies
from api.auterity.dialect import AuterityView
from api.base import Answer, Call, operation
from auterity.kernel.access import Permission
from auterity.kernel.errors import InvalidInput, PermissionDenied
from auterity.kernel.models import uuid7
from engine.ports import Completion

USAGE_DAYS = 30  # shown where nobody says how many
MAX_USAGE_DAYS = 366


class ProcessView(AuterityView):
    @operation(
        needs=Permission.AI_PROCESS,
        id="ai_process",
        summary="Ask a language model",
        body=bodies.AIProcessingRequest,
        answers={200: bodies.AIProcessingResponse},
        raises=[
            NotAuthenticated,
            PermissionDenied,
            InvalidInput,
            AiRefused,
            ProviderNotAllowed,
            AiQuotaExceeded,
            AiUnavailable,
        ],
    )
    def post(self, call: Call[bodies.AIProcessingRequest]) -> Answer:
        """One question, answered in OpenAI's form and entered into the ledger. Where no provider is set up, the offline rules
        answer under their own name. A model that asks for a function is not answered here: call it, and ask again."""
        body = call.body
        question = Question(
            model=body.model,
            prompt=body.prompt,
            max_tokens=body.max_tokens,
            temperature=body.temperature,
            functions=[each.model_dump() for each in body.functions or ()],
            function_call=body.called,
            context=body.context or (),
            connection_id=body.connection_id,
        )
        return Answer(_completion(processing.process(actor=call.actor, question=question)), sparse=True)


class ModelsView(AuterityView):
    @operation(
        needs=Permission.AI_PROCESS,
        id="ai_model_list",
        summary="List the models there are",
        answers={200: bodies.AIModels},
        raises=[NotAuthenticated, PermissionDenied],
    )
    def get(self, call: Call[None]) -> Answer:
        """What the server's provider offers, the organization's own connections, and the offline rules."""
        found = [
            bodies.AIModelBody(
                id=each.id, provider=each.provider, available=each.available, connection_id=each.connection_id
            )
            for each in catalog.list_models(actor=call.actor)
        ]
        return Answer(bodies.AIModels(models=found, total=len(found)))


class UsageView(AuterityView):
    @operation(
        needs=Permission.METRICS_READ,
        id="ai_usage",
        summary="What AI calls consumed",
        query=bodies.AiUsageQuery,
        answers={200: bodies.UsageBody},
        raises=[NotAuthenticated, PermissionDenied, InvalidInput],
    )
    def get(self, call: Call[None]) -> Answer:
        """Added up by day and model, with those of workflows among them. Needs metrics:read."""
        until = call.query.until or dt.datetime.now(dt.UTC).date()
        since = call.query.since or until - dt.timedelta(days=USAGE_DAYS - 1)
        if not 0 <= (until - since).days < MAX_USAGE_DAYS:
            raise InvalidInput.of("since", f"Ask for 1 to {MAX_USAGE_DAYS} days, the first one first.")
        sums = selectors.usage_sums(
            actor=call.actor, since=_midnight(since), until=_midnight(until) + dt.timedelta(days=1)
        )
        rows = [
            bodies.UsageRow(date=each.date, provider=each.provider, model=each.model, **_sum([each])) for each in sums
        ]
        return Answer(bodies.UsageBody(since=since, until=until, usage=rows, totals=bodies.UsageSums(**_sum(sums))))


class CustomModelsView(AuterityView):
    @operation(
        needs=Permission.AI_PROCESS,
        summary="List custom models",
        answers={200: bodies.CustomModels},
        raises=[NotAuthenticated, PermissionDenied],
    )
    def get(self, call: Call[None]) -> Answer:
        """Every version, the newest of each model first."""
        found = [_body(each) for each in selectors.list_custom_models(actor=call.actor)]
        return Answer(bodies.CustomModels(models=found, total=len(found)))

    @operation(
        needs=(Permission.AI_MANAGE, Permission.INTEGRATION_MANAGE),
        summary="Register a custom model",
        body=bodies.CustomModelRegister,
        answers={201: bodies.CustomModelBody},
        raises=[NotAuthenticated, PermissionDenied, InvalidInput, CustomModelExists],
        creates=True,
    )
    def post(self, call: Call[bodies.CustomModelRegister]) -> Answer:
        """Address and key are kept in a connection of type custom_model; the model is not asked."""
        body = call.body
        row = services.register_custom_model(
            actor=call.actor,
            model_id=body.model_id,
            version=body.version,
            endpoint_url=body.endpoint_url,
            description=body.description,
            api_key=body.api_key.get_secret_value() if body.api_key else None,
            metadata=body.metadata,
        )
        return Answer(_body(row), 201)


class CustomModelView(AuterityView):
    @operation(
        needs=Permission.AI_PROCESS,
        summary="Read a version of a custom model",
        answers={200: bodies.CustomModelBody},
        raises=[NotAuthenticated, PermissionDenied, CustomModelNotFound],
    )
    def get(self, call: Call[None], model_id: str, version: str) -> Answer:
        """Active or not."""
        return Answer(_body(selectors.get_custom_model(actor=call.actor, model_id=model_id, version=version)))

    @operation(
        needs=Permission.AI_MANAGE,
        summary="Change a version of a custom model",
        body=bodies.CustomModelUpdate,
        answers={200: bodies.CustomModelBody},
        raises=[NotAuthenticated, PermissionDenied, InvalidInput, CustomModelNotFound],
    )
    def put(self, call: Call[bodies.CustomModelUpdate], model_id: str, version: str) -> Answer:
        """Switch it on or off, describe it, or give it another address or key."""
        body = call.body
        change = CustomModelChange(
            description=body.description,
            metadata=body.metadata,
            is_active=body.is_active,
            endpoint_url=body.endpoint_url,
            api_key=body.api_key.get_secret_value() if body.api_key is not None else None,
        )
        row = services.update_custom_model(actor=call.actor, model_id=model_id, version=version, change=change)
        return Answer(_body(row))

    @operation(
        needs=(Permission.AI_MANAGE, Permission.INTEGRATION_MANAGE),
        summary="Delete a version of a custom model",
        answers={204: None},
        raises=[NotAuthenticated, PermissionDenied, CustomModelNotFound],
    )
    def delete(self, call: Call[None], model_id: str, version: str) -> Answer:
        """With its address and key. What it cost stays in the ledger."""
        services.delete_custom_model(actor=call.actor, model_id=model_id, version=version)
        return Answer(None, 204)


class PredictView(AuterityView):
    @operation(
        needs=Permission.AI_PROCESS,
        summary="Ask a custom model",
        body=bodies.CustomModelRequest,
        answers={200: bodies.CustomModelResponse},
        raises=[
            NotAuthenticated,
            PermissionDenied,
            InvalidInput,
            CustomModelNotFound,
            CustomModelRefused,
            AiQuotaExceeded,
            AiUnavailable,
        ],
    )
    def post(self, call: Call[bodies.CustomModelRequest]) -> Answer:
        """One question, entered into the ledger of AI calls."""
        body = call.body
        inferred = services.predict(
            actor=call.actor,
            model_id=body.model_id,
            version=body.version,
            input=body.input,
            parameters=body.parameters,
        )
        return Answer(
            bodies.CustomModelResponse(
                model_id=inferred.model_id,
                version=inferred.version,
                output=dict(inferred.output),
                confidence_score=inferred.confidence_score,
                processing_time_ms=round(inferred.usage.duration_ms, 1),
                metadata=dict(inferred.metadata) if inferred.metadata is not None else None,
            )
        )


def _body(row: CustomModel) -> bodies.CustomModelBody:
    return bodies.CustomModelBody(
        model_id=row.model_id,
        version=row.version,
        description=row.description,
        endpoint_url=row.connection.config.get("endpoint_url", "") if row.connection else "",
        is_active=row.is_active,
        metadata=row.metadata,
        created_at=row.created_at,
    )


def _completion(completion: Completion) -> bodies.AIProcessingResponse:
    usage, call = completion.usage, completion.function_call
    asked: dict[str, Any] = (
        {"function_call": bodies.FunctionCallBody(name=call.name, arguments=call.arguments)} if call else {}
    )
    message = bodies.AIMessage(role="assistant", content=None if call else completion.text, **asked)
    reason = cast("Literal['stop', 'length', 'function_call']", completion.finish_reason)
    return bodies.AIProcessingResponse(
        id=f"cmpl-{uuid7().hex}",
        object="chat.completion",
        created=int(time.time()),
        model=usage.model,
        provider=usage.provider,
        choices=[bodies.AIChoice(index=0, message=message, finish_reason=reason)],
        usage=bodies.TokenUsage(
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
            total_tokens=usage.total_tokens,
        ),
        cost_estimate=usage.cost_usd,
    )


def _sum(rows: Sequence[UsageSum]) -> dict[str, Any]:
    prompt, completion = sum(each.prompt_tokens for each in rows), sum(each.completion_tokens for each in rows)
    return {
        "calls": sum(each.calls for each in rows),
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "cost_estimate": float(sum(each.cost_usd for each in rows)),
    }


def _midnight(day: dt.date) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(), dt.UTC)
