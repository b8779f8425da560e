"""The shape of a refusal of 002 (3.1)."""

from __future__ import annotations

from uuid import UUID

from pydantic import BaseModel, ConfigDict

from api.auterity.moments import Moment


class OrchestratorDetail(BaseModel):
    field: str
    message: str


class OrchestratorReason(BaseModel):
    code: str
    message: str
    details: list[OrchestratorDetail]
    request_id: UUID | str
    timestamp: Moment


class OrchestratorError(BaseModel):
    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "error": {
                    "code": "VALIDATION_ERROR",
                    "message": "Invalid input data",
                    "details": [{"field": "email", "message": "This is not a valid email address."}],
                    "request_id": "018f0000-0000-7000-8000-000000000000",
                    "timestamp": "2024-01-15T10:30:00Z",
                }
            }
        }
    )

    error: OrchestratorReason
