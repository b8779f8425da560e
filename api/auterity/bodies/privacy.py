"""Shapes of data rights: a copy of everything, and erasing."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from api.auterity.moments import Moment


class DataExportBody(BaseModel):
    """A copy of everything that is kept: a ZIP with one NDJSON file a table, the files, and `manifest.json`."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "id": "01920000-0000-7000-8000-000000000001",
                "subject": "person",
                "status": "completed",
                "progress": 100,
                "rows": 128,
                "size": 20480,
                "created_at": "2024-01-15T10:30:00Z",
                "completed_at": "2024-01-15T10:30:05Z",
                "expires_at": "2024-01-22T10:30:05Z",
                "error": None,
                "download_url": "/api/exports/01920000-0000-7000-8000-000000000001/content?signature=WyIw",
            }
        }
    )

    id: UUID
    subject: Literal["person", "organization"]
    status: Literal["queued", "running", "completed", "failed"]
    progress: Annotated[int, Field(ge=0, le=100, description="Percent.")]
    rows: int
    size: Annotated[int | None, Field(description="Bytes of the ZIP.")] = None
    created_at: Moment
    completed_at: Moment | None = None
    expires_at: Annotated[Moment | None, Field(description="When the file is deleted.")] = None
    error: str | None = None
    download_url: Annotated[
        str | None,
        Field(description="Where to fetch it, for 15 minutes and without a token; ask again for a new link."),
    ] = None


class ErasureBody(BaseModel):
    """What is going to be erased, and when that begins."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "id": "01920000-0000-7000-8000-000000000002",
                "subject": "organization",
                "due_at": "2024-01-29T10:30:00Z",
                "created_at": "2024-01-15T10:30:00Z",
                "cancelled_at": None,
            }
        }
    )

    id: UUID
    subject: Literal["person", "organization"]
    due_at: Moment | None = None
    created_at: Moment
    cancelled_at: Moment | None = None


class ExportLink(BaseModel):
    signature: Annotated[str, Field(max_length=500, description="As `download_url` has it.")]
