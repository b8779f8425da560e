"""Writing: the usage ledger, and models of the organizations' own."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

import orjson
from django.db import IntegrityError, transaction

from ai import selectors
from ai.errors import AiUnavailable, CustomModelExists, CustomModelRefused
from ai.inference import StoredModels
from ai.metered import infer_metered
from ai.models import AiUsage, CustomModel
from auterity.kernel.access import Actor, Permission, require
from auterity.kernel.errors import FieldProblem, InvalidInput
from auterity.kernel.models import uuid7
from engine.ports import Inference, Inferred, PortFailure, Unavailable, Usage
from integrations.models import Connection
from integrations.services import ConnectionChange, create_connection, delete_connection, update_connection

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
        row.connection = _connect(actor, row, endpoint_url, api_key)
        try:
            with transaction.atomic():
                row.save(force_insert=True)
        except IntegrityError:
            raise CustomModelExists(model_id, version) from None
    return row


@dataclass(frozen=True, slots=True)
class CustomModelChange:
    """What an update says. None means "leave as it is"; an empty `api_key` takes the key away."""

    description: str | None = None
    metadata: Mapping[str, Any] | None = None
    is_active: bool | None = None
    endpoint_url: str | None = None
    api_key: str | None = None


@transaction.atomic
def update_custom_model(*, actor: Actor, model_id: str, version: str, change: CustomModelChange) -> CustomModel:
    """Apply a change. A key never follows a changed address: whoever changes it gives the key again.

    Raises `CustomModelNotFound` or `InvalidInput`. Nothing is called.
    """
    require(actor, Permission.AI_MANAGE)
    row = selectors.get_custom_model(actor=actor, model_id=model_id, version=version)
    _check(model_id=model_id, version=version, metadata=change.metadata)
    if change.endpoint_url is not None or change.api_key is not None:
        require(actor, Permission.INTEGRATION_MANAGE)
        _move(actor, row, change)
    row.description = row.description if change.description is None else change.description
    row.metadata = row.metadata if change.metadata is None else dict(change.metadata)
    row.is_active = row.is_active if change.is_active is None else change.is_active
    row.save()
    return row


@transaction.atomic
def delete_custom_model(*, actor: Actor, model_id: str, version: str) -> None:
    """Forget a version, its address and its key. What it cost stays in the ledger. Raises `CustomModelNotFound`."""
    require(actor, Permission.AI_MANAGE)
    require(actor, Permission.INTEGRATION_MANAGE)
    row = selectors.get_custom_model(actor=actor, model_id=model_id, version=version)
    row.delete()
    if row.connection_id is not None:
        delete_connection(actor=actor, connection_id=row.connection_id)


def predict(
    *, actor: Actor, model_id: str, version: str, input: Mapping[str, Any], parameters: Mapping[str, Any]
) -> Inferred:
    """Ask a model once, outside of any workflow, and enter the call into the ledger.

    Raises `CustomModelNotFound`, `CustomModelRefused` (asking again cannot help), `AiUnavailable` or `AiQuotaExceeded`.
    """
    require(actor, Permission.AI_PROCESS)
    selectors.custom_model(organization_id=actor.organization_id, model_id=model_id, version=version)
    asked = Inference(f"predict/{uuid7()}", model_id, version, input, parameters)
    try:
        port = StoredModels(actor.organization_id)
        inferred = infer_metered(port, asked, organization_id=actor.organization_id, timeout=PREDICT_SECONDS)
    except Unavailable as failure:
        raise AiUnavailable(failure.message, provider="custom-model", model=model_id) from None
    except PortFailure as failure:
        raise CustomModelRefused(failure.message) from None
    record_usage(organization_id=actor.organization_id, usages=[(None, "", inferred.usage)])
    return inferred


def _connect(actor: Actor, row: CustomModel, endpoint_url: str, api_key: str | None) -> Connection:
    """A new connection that holds the model's address and key. Raises `InvalidInput` under the registration's own names."""
    with _as_fields_of_the_model():
        return create_connection(
            actor=actor,
            name=f"Model {row.model_id} {row.version}"[:80] + f" {str(row.id)[-12:]}",
            type="custom_model",
            config={"endpoint_url": endpoint_url},
            credentials={"api_key": api_key} if api_key else {},
        )


def _move(actor: Actor, row: CustomModel, change: CustomModelChange) -> None:
    """Give the model another address, another key, or both; its connection may have been deleted."""
    if row.connection is None:
        if change.endpoint_url is None:
            raise InvalidInput.of("endpoint_url", "The model has no address any more; give one.", "required")
        row.connection = _connect(actor, row, change.endpoint_url, change.api_key)
        return
    config = None if change.endpoint_url is None else {**row.connection.config, "endpoint_url": change.endpoint_url}
    credentials = None if change.api_key is None else {"api_key": change.api_key} if change.api_key else {}
    with _as_fields_of_the_model():
        row.connection = update_connection(
            actor=actor,
            connection_id=row.connection.id,
            change=ConnectionChange(config=config, credentials=credentials),
        )


@contextmanager
def _as_fields_of_the_model() -> Iterator[None]:
    try:
        yield
    except InvalidInput as error:
        raise InvalidInput(
            [FieldProblem(_field(each.field), each.message, each.code) for each in error.problems]
        ) from None


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
    return "api_key" if path == "credentials" else path.removeprefix("config.").removeprefix("credentials.")
