"""Shapes of notifications (`schemas/communication.yaml`, UserNotification and SystemAnnouncement; `websockets.yaml`)."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypeAliasType

from api.auterity.moments import Moment
from api.auterity.pages import Page, PageQuery

NotificationCategory = TypeAliasType(
    "NotificationCategory",
    Literal["execution", "workflow", "template", "security", "quota", "integration", "mention", "system"],
)
NotificationSeverity = TypeAliasType("NotificationSeverity", Literal["info", "success", "warning", "error"])


class NotificationBody(BaseModel):
    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "type": "user_notification",
                "id": "01931f0e-7b1a-7c3e-9d52-0a4bb6a5a001",
                "seq": 41,
                "category": "execution",
                "severity": "error",
                "title": "12 runs failed",
                "message": "Customer Follow-up Workflow: 'Send mail' failed: the server refused the recipient",
                "link": "/executions/01931f0e-7b1a-7c3e-9d52-0a4bb6a5a002",
                "data": {"execution_id": "01931f0e-7b1a-7c3e-9d52-0a4bb6a5a002", "count": 12},
                "count": 12,
                "read": False,
                "read_at": None,
                "created_at": "2026-11-22T09:00:00Z",
                "timestamp": "2026-11-22T09:00:00Z",
            }
        }
    )

    type: Literal["user_notification", "system_announcement"]
    id: UUID
    seq: Annotated[int, Field(description="Its number in the stream of `/ws/notifications`.")]
    category: NotificationCategory
    severity: NotificationSeverity
    title: str
    message: str
    link: Annotated[str | None, Field(description="An address inside the web app.")]
    data: dict[str, Any]
    count: Annotated[int, Field(description="How many of the same kind it stands for.")]
    read: bool
    read_at: Moment | None
    created_at: Moment
    timestamp: Moment
    announcement_id: UUID | None = None
    starts_at: Annotated[Moment | None, Field(description="Of an announcement.")] = None
    ends_at: Annotated[Moment | None, Field(description="Of an announcement: when it no longer holds.")] = None


class NotificationPage(Page):
    notifications: list[NotificationBody]
    unread_count: int


class NotificationQuery(PageQuery):
    unread: Annotated[bool | None, Field(description="Only those that were not read, or only those that were.")] = None
    category: Annotated[str | None, Field(max_length=100, description="Only of this category.")] = None


class NotificationsRead(BaseModel):
    """Which notifications were read; without `ids`, all."""

    ids: Annotated[list[UUID] | None, Field(max_length=1000)] = None


class ReadNotifications(BaseModel):
    ids: Annotated[list[UUID], Field(description="Those that were unread until now.")]
    unread_count: int


class NotificationPreferences(BaseModel):
    """Of which categories the person is told. Security and system are always told."""

    model_config = ConfigDict(json_schema_extra={"example": {"categories": {"execution": True, "template": False}}})

    categories: dict[NotificationCategory, bool]
