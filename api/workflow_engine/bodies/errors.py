"""The shape of a refusal under `/api/v1` and beside it (003, Error Handling; 004, Error Handling): one body for both."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class RefusalReason(BaseModel):
    code: Annotated[str, Field(description="ERR_, the status and a name.")]
    message: str
    details: Annotated[
        dict[str, Any],
        Field(description="For invalid input `{field, issue, problems}`; else what the code's meaning says."),
    ]


class Refusal(BaseModel):
    """`error` is 003's, `detail` 004's: the same sentence."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "success": False,
                "error": {
                    "code": "ERR_400_VALIDATION",
                    "message": "Invalid input data",
                    "details": {"field": "email", "issue": "This is not a valid email address."},
                },
                "detail": "Invalid input data",
            }
        }
    )

    success: Literal[False] = False
    error: RefusalReason
    detail: str
