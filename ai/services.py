"""Writing: the usage ledger, and models of the organizations' own."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

import orjson
from django.db import IntegrityError, transaction

from ai import selectors
from ai.errors import AiUnavailable, CustomModelExists, CustomModelRefused
from ai.inference import StoredModels
from ai.models import AiUsage, CustomModel
from auterity.kernel.access import Actor, Permission, require
from auterity.kernel.errors import FieldProblem, InvalidInput
from auterity.kernel.models import uuid7
from engine.ports import Inference, Inferred, PortFailure, Unavailable, Usage
from integrations.services import create_connection

PREDICT_SECONDS = 60.0
MAX_METADATA_BYTES = 64 * 1024
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,49}")


def record_usage(*, organization_id: UUID, usages: Sequence[tuple[UUID | None, str, Usage]]) -> None:
    """Enter AI calls as (execution id, node id, usage) in one statement, inside the caller's transaction."""
    AiUsage.unscoped.bulk_create(
        AiUsage(
            organization_id=organization_id,
            execution_id=execution_id,
            node_id=node_id,
            provider=usage.provider,
            model=usage.model[:200],
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
            cost_usd=Decimal(str(usage.cost_usd)).quantize(Decimal("0.000001")),
            duration_ms=usage.duration_ms,
        )
        for execution_id, node_id, usage in usages
    )


def register_custom_model(
    *,
    actor: Actor,
    model_id: str,
    version: str,
    endpoint_url: str,
    description: str | None = None,
    api_key: str | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> CustomModel:
    """Store a version of a model, with a connection of type custom_model that holds its address and key.

    Raises `CustomModelExists`, or `InvalidInput` for an address that may not be reached. Nothing is called.
    """
    require(actor, Permission.AI_MANAGE)
    require(actor, Permission.INTEGRATION_MANAGE)
    _check(model_id=model_id, version=version, metadata=metadata)
    row = CustomModel(
        organization_id=actor.organization_id,
        model_id=model_id,
        version=version,
        description=description,
        metadata=dict(metadata) if metadata is not None else None,
    )
    with transaction.atomic():
        if CustomModel.objects.of(actor).filter(model_id=model_id, version=version).exists():
            raise CustomModelExists(model_id, version)
        try:
            row.connection = create_connection(
                actor=actor,
                name=f"Model {model_id} {version}"[:80] + f" {str(row.id)[-12:]}",
                type="custom_model",
                config={"endpoint_url": endpoint_url},
                credentials={"api_key": api_key} if api_key else {},
            )
        except InvalidInput as error:
            raise InvalidInput(
                [FieldProblem(_field(each.field), each.message, each.code) for each in error.problems]
            ) from None
        try:
            with transaction.atomic():
                row.save(force_insert=True)
        except IntegrityError:
            raise CustomModelExists(model_id, version) from None
    return row


def predict(
    *, actor: Actor, model_id: str, version: str, input: Mapping[str, Any], parameters: Mapping[str, Any]
) -> Inferred:
    """Ask a model once, outside of any workflow, and enter the call into the ledger.

    Raises `CustomModelNotFound`, `CustomModelRefused` (asking again cannot help) or `AiUnavailable`.
    """
    require(actor, Permission.AI_PROCESS)
    selectors.custom_model(organization_id=actor.organization_id, model_id=model_id, version=version)
    asked = Inference(f"predict/{uuid7()}", model_id, version, input, parameters)
    try:
        inferred = StoredModels(actor.organization_id).infer(asked, timeout=PREDICT_SECONDS)
    except Unavailable as failure:
        raise AiUnavailable(failure.message, provider="custom-model", model=model_id) from None
    except PortFailure as failure:
        raise CustomModelRefused(failure.message) from None
    record_usage(organization_id=actor.organization_id, usages=[(None, "", inferred.usage)])
    return inferred


def _check(*, model_id: str, version: str, metadata: Mapping[str, Any] | None) -> None:
    problems = [
        FieldProblem(name, "Use 1 to 50 letters, digits, dots, dashes or underscores.", "format")
        for name, value in (("model_id", model_id), ("version", version))
        if not _NAME.fullmatch(value)
    ]
    if metadata is not None and len(orjson.dumps(dict(metadata))) > MAX_METADATA_BYTES:
        problems.append(FieldProblem("metadata", f"Metadata may have {MAX_METADATA_BYTES:,} bytes."))
    if problems:
        raise InvalidInput(problems)


def _field(path: str) -> str:
    """A problem of the connection, as a field of the model's registration."""
    return path.removeprefix("config.").removeprefix("credentials.")
