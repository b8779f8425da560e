"""`/api/ai/custom-models`: models of the organization's own (000, "Custom AI Model Integration")."""

from __future__ import annotations

from accounts.errors import NotAuthenticated
from ai import selectors, services
from ai.errors import AiUnavailable, CustomModelExists, CustomModelNotFound, CustomModelRefused
from ai.models import CustomModel
from api.auterity.bodies import ai as bodies
from api.auterity.dialect import AuterityView
from api.base import Answer, Call, operation
from auterity.kernel.errors import InvalidInput, PermissionDenied


class CustomModelsView(AuterityView):
    @operation(
        summary="List custom models",
        answers={200: bodies.CustomModels},
        raises=[NotAuthenticated, PermissionDenied],
    )
    def get(self, call: Call[None]) -> Answer:
        """Every version, the newest of each model first."""
        found = [_body(each) for each in selectors.list_custom_models(actor=call.actor)]
        return Answer(bodies.CustomModels(models=found, total=len(found)))

    @operation(
        summary="Register a custom model",
        body=bodies.CustomModelRegister,
        answers={201: bodies.CustomModelBody},
        raises=[NotAuthenticated, PermissionDenied, InvalidInput, CustomModelExists],
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


class PredictView(AuterityView):
    @operation(
        summary="Ask a custom model",
        body=bodies.CustomModelRequest,
        answers={200: bodies.CustomModelResponse},
        raises=[
            NotAuthenticated,
            PermissionDenied,
            InvalidInput,
            CustomModelNotFound,
            CustomModelRefused,
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
