"""Shapes of `/native/config`, `/native/updates` and `/native/api/upload` (003, Native Router and Native API Router)."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator
from typing_extensions import TypeAliasType

from api.auterity.moments import Moment

NativePlatform = TypeAliasType("NativePlatform", Literal["windows", "macos", "linux", "ios", "android"])
UploadPurpose = TypeAliasType("UploadPurpose", Literal["attachment", "crash_log", "workflow_input", "document"])


class _Query(BaseModel):
    model_config = ConfigDict(extra="ignore")

    @model_validator(mode="before")
    @classmethod
    def _empty_means_absent(cls, given: Any) -> Any:
        return {name: value for name, value in given.items() if value != ""} if isinstance(given, dict) else given


class ConfigQuery(_Query):
    platform: NativePlatform | None = None
    app_version: Annotated[str | None, Field(description="Semantic Versioning 2.0.0.")] = None


class ConfigApi(BaseModel):
    base_path: str
    native_base_path: str
    websocket_path: str
    request_timeout_ms: int
    max_upload_bytes: int


class ConfigAuth(BaseModel):
    methods: list[str]
    google_enabled: bool
    access_token_seconds: int
    registration_open: bool


class SyncCollection(BaseModel):
    """`reject`: it is only read."""

    name: str
    writable: bool
    conflict_policy: Literal["server_wins", "merge", "reject"]


class ConfigSync(BaseModel):
    interval_seconds: int
    max_changes_per_call: int
    collections: list[SyncCollection]


class ConfigFeatures(BaseModel):
    chat: bool
    offline_drafts: bool
    push: bool
    ollama: bool


class ConfigVersions(BaseModel):
    """Of the platform that is asked for; 0.0.0 where no release says."""

    minimum: str
    latest: str
    update_required: bool


class ConfigBranding(BaseModel):
    name: str
    accent_color: str
    support_email: str | None


class ConfigUser(BaseModel):
    preferences: dict[str, Any]
    role: str
    tier: str


class ConfigBody(BaseModel):
    config_version: str
    api: ConfigApi
    auth: ConfigAuth
    sync: ConfigSync
    features: ConfigFeatures
    versions: ConfigVersions
    branding: ConfigBranding
    user: Annotated[ConfigUser | None, Field(description="Null without a token.")]


class UpdatesQuery(_Query):
    platform: NativePlatform
    app_version: Annotated[str, Field(description="Semantic Versioning 2.0.0.")]
    channel: Literal["stable", "beta"] = "stable"
    arch: Literal["x64", "arm64"] = "x64"
    install_id: Annotated[
        UUID | None,
        Field(description="The installation, for releases that are rolled out in stages; else the login's own."),
    ] = None


class ReleaseBody(BaseModel):
    version: str
    channel: str
    released_at: Moment
    notes_markdown: str
    download_url: str
    size_bytes: int
    sha256: str
    signature: Annotated[str | None, Field(description="Base64url.")]


class UpdatesBody(BaseModel):
    """`latest_version` is the newest that this installation is offered; its own where there is none newer."""

    update_available: bool
    mandatory: Annotated[bool, Field(description="This version is below the minimum, and there is a release to go to.")]
    current_version: str
    latest_version: str
    minimum_version: str
    release: Annotated[ReleaseBody | None, Field(description="Null where none is newer.")]
    checked_at: Moment
    next_check_seconds: int


class UploadForm(BaseModel):
    """A multipart body with one file in it."""

    file: Annotated[
        Any, Field(description="The file itself.", json_schema_extra={"type": "string", "format": "binary"})
    ]
    purpose: UploadPurpose = "attachment"
    filename: Annotated[str | None, Field(min_length=1, max_length=255, description="In place of the part's own.")] = (
        None
    )
    sha256: Annotated[
        str | None, Field(pattern=r"^[0-9a-fA-F]{64}$", description="Of the bytes as they are sent, to be compared.")
    ] = None
    conversation_id: UUID | None = None
    index: Annotated[bool, Field(description="To be found by semantic search, once there is one: see the answer.")] = (
        False
    )
    client_upload_id: Annotated[UUID | None, Field(description="Repeating it answers with the first upload.")] = None


class UploadBody(BaseModel):
    """`sha256` and `size_bytes` are of the file as it is kept and downloaded; a picture is made anew."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "upload_id": "01931f0e-7b1a-7c3e-9d52-0a4bb6a5a001",
                "file_id": "01931f0e-7b1a-7c3e-9d52-0a4bb6a5a002",
                "filename": "report.pdf",
                "content_type": "application/pdf",
                "size_bytes": 48213,
                "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
                "purpose": "attachment",
                "download_path": "/api/files/01931f0e-7b1a-7c3e-9d52-0a4bb6a5a002/content",
                "indexing_task_id": None,
                "created_at": "2026-11-22T09:00:00Z",
            }
        }
    )

    upload_id: UUID
    file_id: UUID
    filename: str
    content_type: str
    size_bytes: int
    sha256: str
    purpose: UploadPurpose
    download_path: str
    indexing_task_id: Annotated[UUID | None, Field(description="Null: the file was not indexed.")]
    created_at: Moment
