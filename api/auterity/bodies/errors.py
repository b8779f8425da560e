"""The shape of a refusal (000, Standard Error Response Format; 001, Error Handling)."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from api.auterity.moments import Moment


class ErrorDetail(BaseModel):
    code: Annotated[
        str, Field(description="Such as AUTH_001; its name, such as INVALID_CREDENTIALS, under 2025-08-08.")
    ]
    message: str
    details: Annotated[
        dict[str, Any] | list[dict[str, Any]] | None,
        Field(
            description="For invalid input `{field, reason, problems}`; a list of `{field, message}` under 2025-08-08."
        ),
    ] = None
    trace_id: Annotated[str, Field(description="The request's X-Request-ID.")]
    request_id: Annotated[str, Field(description="The same.")]
    timestamp: Moment


class ErrorBody(BaseModel):
    """Under `API-Version: 2025-08-08` invalid input is 422; under 2023-12-01 a refusal is `{error: message, code}`."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "error": {
                    "code": "VAL_001",
                    "message": "Invalid input data",
                    "details": {"field": "email", "reason": "This is not a valid email address."},
                    "trace_id": "abc123-def456-ghi789",
                    "request_id": "abc123-def456-ghi789",
                    "timestamp": "2024-01-15T10:30:00Z",
                }
            }
        }
    )

    error: ErrorDetail
