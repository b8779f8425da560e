"""Shapes of how long an organization's records are kept."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from artefacts.models import LONGEST_DAYS

Days = Annotated[int, Field(ge=1, le=LONGEST_DAYS)]


class Retention(BaseModel):
    """Days. Deleting goes on in the background, in small parts; figures that were added up stay."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"execution_days": 90, "receipt_days": 30, "upload_days": None}}
    )

    execution_days: Annotated[
        Days, Field(description="Ended executions with their steps, logs and files, from their end.")
    ]
    receipt_days: Annotated[
        Days, Field(description="What schedules fired, what webhooks received, and messages that were delivered.")
    ]
    upload_days: Annotated[
        Days | None, Field(description="Uploaded files; null: kept until somebody deletes them.")
    ] = None
