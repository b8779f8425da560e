"""Shapes of stored files."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypeAliasType

from api.auterity.moments import Moment
from api.auterity.pages import Page, PageQuery

FilePurpose = TypeAliasType("FilePurpose", Literal["upload", "step"])


class FileUpload(BaseModel):
    """A multipart body with one file in it."""

    file: Annotated[
        Any, Field(description="The file itself.", json_schema_extra={"type": "string", "format": "binary"})
    ]


class FileBody(BaseModel):
    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "id": "01931f0e-7b1a-7c3e-9d52-0a4bb6a5a001",
                "name": "customers.csv",
                "media_type": "text/csv",
                "size": 48213,
                "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
                "purpose": "upload",
                "execution_id": None,
                "created_by": "01931f0e-7b1a-7c3e-9d52-0a4bb6a5a002",
                "created_at": "2026-11-22T09:00:00Z",
                "expires_at": None,
            }
        }
    )

    id: UUID
    name: str
    media_type: str
    size: Annotated[int, Field(description="Bytes.")]
    sha256: str
    purpose: Annotated[FilePurpose, Field(description="Uploaded by somebody, or made by a step.")]
    execution_id: Annotated[UUID | None, Field(description="Whose step made it.")]
    created_by: UUID | None
    created_at: Moment
    expires_at: Annotated[Moment | None, Field(description="Deleted after this moment.")]


class FilePage(Page):
    files: list[FileBody]


class FileQuery(PageQuery):
    purpose: FilePurpose | None = None
    execution_id: UUID | None = None
