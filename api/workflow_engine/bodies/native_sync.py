"""Shapes of `/native/sync` and `/native/api/data` (003, Native Router and Native API Router)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, field_validator

from api.auterity.moments import Moment
from api.workflow_engine.pages import Listing, PerPageQuery

MOST_CHANGES = 100
MOST_IDS = 100

CollectionName = Annotated[str, Field(max_length=60)]
Version = Annotated[int, Field(strict=True, ge=0, le=2**53)]


class SyncChange(BaseModel):
    """What was done to one row. `id` of a new row is the client's own; the answer tells the server's."""

    client_change_id: UUID
    collection: Annotated[CollectionName, Field(description="One that can be written, such as workflow_drafts.")]
    op: Literal["create", "update", "delete"]
    id: UUID
    base_version: Annotated[Version | None, Field(description="The version that was changed. Null to create.")] = None
    data: dict[str, Any] = {}
    changed_at: Annotated[datetime | None, Field(description="When it was done, by the client's clock.")] = None


class NativeSyncRequest(BaseModel):
    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "cursors": {"workflow_drafts": None, "preferences": None},
                "changes": [
                    {
                        "client_change_id": "01931f0e-7b1a-7c3e-9d52-0a4bb6a5a001",
                        "collection": "preferences",
                        "op": "create",
                        "id": "01931f0e-7b1a-7c3e-9d52-0a4bb6a5a002",
                        "base_version": None,
                        "data": {"ui": {"theme": "dark"}},
                        "changed_at": "2026-11-22T09:00:00Z",
                    }
                ],
                "limit": 100,
                "conflict_policy": "server_wins",
            }
        }
    )

    cursors: Annotated[
        dict[CollectionName, str | None],
        Field(max_length=20, description="By collection the cursor of the last answer; null starts anew."),
    ]
    device_id: UUID | None = None
    changes: Annotated[list[SyncChange], Field(max_length=MOST_CHANGES)] = []
    limit: Annotated[int, Field(strict=True, ge=1, le=500, description="Changes in the answer.")] = 100
    conflict_policy: Annotated[
        Literal["server_wins", "client_wins", "manual"],
        Field(
            description="Whose value counts where both sides changed a field; manual: nothing of that change is stored."
        ),
    ] = "server_wins"


class SyncApplied(BaseModel):
    client_change_id: UUID
    id: UUID
    version: int
    status: Literal["applied", "already_applied"]


class SyncConflict(BaseModel):
    """`server_data` is what stood here when the change came; empty for what is deleted. `fields` are those that both changed."""

    client_change_id: UUID
    id: UUID
    reason: Literal["version_mismatch", "deleted_on_server", "merge_failed"]
    server_version: int
    server_data: dict[str, Any]
    client_data: dict[str, Any]
    fields: list[str]
    resolution: Annotated[
        Literal["server_kept", "client_kept", "merged", "needs_manual"],
        Field(description="merged: of the disputed fields the server's stayed, the others were stored."),
    ]


class SyncRejected(BaseModel):
    client_change_id: UUID
    code: str
    message: str


class SyncTold(BaseModel):
    """A row as it is now. `data` of a deleted one is empty."""

    collection: str
    id: UUID
    op: Literal["upsert", "delete"]
    version: int
    data: dict[str, Any]
    changed_at: Moment


class NativeSyncBody(BaseModel):
    """`has_more`: ask again with these cursors at once."""

    applied: list[SyncApplied]
    conflicts: list[SyncConflict]
    rejected: list[SyncRejected]
    changes: list[SyncTold]
    cursors: dict[str, str | None]
    has_more: bool
    server_time: Moment


class DataQuery(PerPageQuery):
    """`collection` is one of those that /native/config names, but for the two that are synchronized only."""

    collection: Annotated[
        str, Field(max_length=60, description="workflows, executions, templates, notifications or files.")
    ] = ""
    since: Annotated[AwareDatetime | None, Field(description="What changed since then.")] = None
    ids: Annotated[list[UUID] | None, Field(max_length=MOST_IDS, description="A comma list.")] = None
    fields: Annotated[str, Field(max_length=1000, description="A comma list of attributes; all by default.")] = ""

    @field_validator("ids", mode="before")
    @classmethod
    def _comma_list(cls, given: Any) -> Any:
        return [each.strip() for each in given.split(",") if each.strip()] if isinstance(given, str) else given


class DataMeta(BaseModel):
    """`cursor` is where `/native/sync` goes on from: take the one of the first page."""

    collection: str
    cursor: str
    server_time: Moment
    total_exact: Annotated[bool, Field(description="False: there are more than `total`, which are not counted.")]


class DataListing(Listing):
    meta: DataMeta


class DataRecord(BaseModel):
    listed_as: ClassVar[type[Listing]] = DataListing

    id: UUID
    collection: str
    version: int
    updated_at: Moment
    attributes: dict[str, Any]
