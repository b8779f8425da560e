"""Shapes of `/api/ai/custom-models` (000, "Custom AI Model Integration")."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from api.auterity.moments import Moment


class CustomModelRegister(BaseModel):
    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True, protected_namespaces=())

    model_id: Annotated[str, Field(max_length=50, description="Letters, digits, dots, dashes and underscores.")]
    version: Annotated[str, Field(max_length=50)]
    endpoint_url: Annotated[str, Field(max_length=2000, description="Where the model answers a POST of JSON.")]
    description: Annotated[str | None, Field(max_length=5000)] = None
    api_key: Annotated[SecretStr | None, Field(description="Write-only. Sent as a bearer token.")] = None
    metadata: dict[str, Any] | None = None


class CustomModelBody(BaseModel):
    """`endpoint_url` is empty once the model's connection was deleted."""

    model_config = ConfigDict(protected_namespaces=())

    model_id: str
    version: str
    description: str | None
    endpoint_url: str
    is_active: bool
    metadata: dict[str, Any] | None
    created_at: Moment


class CustomModels(BaseModel):
    models: list[CustomModelBody]
    total: int


class CustomModelRequest(BaseModel):
    """000, CustomModelRequest."""

    model_config = ConfigDict(extra="ignore", protected_namespaces=())

    model_id: Annotated[str, Field(max_length=100)]
    version: Annotated[str, Field(max_length=50, description="The newest active one if left out.")] = ""
    input: dict[str, Any]
    parameters: dict[str, Any] = {}


class CustomModelResponse(BaseModel):
    """000, CustomModelResponse."""

    model_config = ConfigDict(protected_namespaces=())

    model_id: str
    version: str
    output: dict[str, Any]
    confidence_score: float | None
    processing_time_ms: float
    metadata: dict[str, Any] | None
