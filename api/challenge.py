"""What a login answers that owes its second factor, where a document knows no refusal for it (contract, decision 5)."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from accounts.factors import Factor


class SecondFactorWanted(BaseModel):
    """The password was right. The token finishes the login within five minutes, together with one of the methods."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "mfa_required": True,
                "mfa_token": "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9…",
                "methods": ["totp", "backup_code"],
            }
        }
    )

    mfa_required: Literal[True]
    mfa_token: str
    methods: list[Factor] = Field(min_length=1)
    expires_at: datetime


def either(schema: dict[str, Any]) -> None:
    """For the schema of a union of which an answer is one, and never more."""
    schema["oneOf"] = schema.pop("anyOf")
