"""Shapes of `/api/ai` (000, "OpenAI API Integration" and "Custom AI Model Integration")."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from api.auterity.moments import Moment


class FunctionParameters(BaseModel):
    """A JSON Schema of an object."""

    model_config = ConfigDict(extra="allow")

    type: Literal["object"]
    properties: dict[str, Any]
    required: list[str] = []


class AIFunction(BaseModel):
    """000, AIFunction: what the model may ask to be called."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
    description: Annotated[str, Field(max_length=10_000)]
    parameters: FunctionParameters


class NamedFunction(BaseModel):
    name: str


class AIProcessingRequest(BaseModel):
    """000, AIProcessingRequest."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {"model": "gpt-4", "prompt": "Summarise this call.", "max_tokens": 200, "temperature": 0.2}
        }
    )

    model: Annotated[str, Field(min_length=1, max_length=200, description="One of `GET /api/ai/models`.")]
    prompt: Annotated[str, Field(min_length=1, max_length=1_000_000)]
    max_tokens: Annotated[int | None, Field(ge=1, le=1_000_000)] = None
    temperature: Annotated[float | None, Field(ge=0, le=2, allow_inf_nan=False)] = None
    functions: Annotated[list[AIFunction] | None, Field(max_length=128)] = None
    function_call: Annotated[
        str | NamedFunction | None, Field(description="none, auto (as if left out), or the name of the one to call.")
    ] = None
    context: Annotated[
        list[Annotated[str, Field(max_length=200_000)]] | None,
        Field(max_length=100, description="What the model should know beside the prompt."),
    ] = None
    connection_id: Annotated[UUID | None, Field(description="An own connection that is to answer.")] = None

    @model_validator(mode="after")
    def _is_sensible(self) -> Self:
        if not self.prompt.strip():
            raise ValueError("the prompt is empty")
        names = [each.name for each in self.functions or ()]
        if len(set(names)) != len(names):
            raise ValueError("two functions have one name")
        if self.called not in ("none", "auto", *names):
            raise ValueError("function_call is none, auto, or the name of one of the functions")
        return self

    @property
    def called(self) -> str:
        call = self.function_call
        return call.name if isinstance(call, NamedFunction) else call or "auto"


class FunctionCallBody(BaseModel):
    name: str
    arguments: Annotated[str, Field(description="JSON as the model wrote it; check it before you call anything.")]


class AIMessage(BaseModel):
    role: str
    content: str | None
    function_call: FunctionCallBody | None = None


class AIChoice(BaseModel):
    """OpenAI's form; 000 names it and leaves it open."""

    index: int
    message: AIMessage
    finish_reason: Literal["stop", "length", "function_call", "content_filter"]


class TokenUsage(BaseModel):
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class AIProcessingResponse(BaseModel):
    """000, AIProcessingResponse. `model` is the one that answered: offline-rules-1 where no provider is set up."""

    id: str
    object: str
    created: Annotated[int, Field(description="Unix seconds.")]
    model: str
    provider: str
    choices: list[AIChoice]
    usage: TokenUsage
    cost_estimate: Annotated[float, Field(description="US dollars by list prices; 0 where no price is known.")]


class AIModelBody(BaseModel):
    id: str
    provider: str
    available: Annotated[bool, Field(description="Whether its provider is set up and answered lately.")]
    connection_id: UUID | None


class AIModels(BaseModel):
    models: list[AIModelBody]
    total: int


class AiUsageQuery(BaseModel):
    """Days, UTC. The last 30 where nothing is said."""

    model_config = ConfigDict(extra="ignore")

    since: dt.date | None = None
    until: Annotated[dt.date | None, Field(description="Inclusive.")] = None


class UsageSums(BaseModel):
    calls: int
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    cost_estimate: Annotated[float, Field(description="US dollars.")]


class UsageRow(UsageSums):
    date: dt.date
    provider: str
    model: str


class UsageBody(BaseModel):
    since: dt.date
    until: dt.date
    usage: list[UsageRow]
    totals: UsageSums


class CustomModelRegister(BaseModel):
    model_config = ConfigDict(
        extra="ignore",
        hide_input_in_errors=True,
        protected_namespaces=(),
        json_schema_extra={
            "example": {
                "model_id": "lead-scorer",
                "version": "1.2",
                "endpoint_url": "https://models.example.com/lead-scorer",
            }
        },
    )

    model_id: Annotated[str, Field(max_length=50, description="Letters, digits, dots, dashes and underscores.")]
    version: Annotated[str, Field(max_length=50)]
    endpoint_url: Annotated[str, Field(max_length=2000, description="Where the model answers a POST of JSON.")]
    description: Annotated[str | None, Field(max_length=5000)] = None
    api_key: Annotated[SecretStr | None, Field(description="Write-only. Sent as a bearer token.")] = None
    metadata: dict[str, Any] | None = None


class CustomModelUpdate(BaseModel):
    """Fields left out are kept. With another `endpoint_url` the key is given again."""

    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True, protected_namespaces=())

    description: Annotated[str | None, Field(max_length=5000)] = None
    metadata: dict[str, Any] | None = None
    is_active: bool | None = None
    endpoint_url: Annotated[str | None, Field(max_length=2000)] = None
    api_key: Annotated[SecretStr | None, Field(description="Write-only. Empty takes the stored key away.")] = None


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

    model_config = ConfigDict(
        extra="ignore",
        protected_namespaces=(),
        json_schema_extra={"example": {"model_id": "lead-scorer", "input": {"budget": 25000}}},
    )

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
