"""The operators' view of what people were told, and where announcements are made."""

from __future__ import annotations

from typing import Any, cast

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString

from accounts import markup
from accounts.models import User
from accounts.operators import AutocompleteFilter, CreatedFilter, KeptAdmin, ReadOnlyAdmin, RecordAdmin
from notifications import services
from notifications.models import Inbox, SystemAnnouncement, UserNotification


@admin.register(UserNotification)
class UserNotificationAdmin(RecordAdmin):
    list_display = ("created", "shown_severity", "category", "shown_title", "count", "user", "read", "organization")
    list_filter = (CreatedFilter, ("organization", AutocompleteFilter))
    list_select_related = ("organization", "user")
    search_fields = ("title", "user__email")
    search_keys = ("id", "user_id")
    fields: Any = (
        "created", "seq", "category", "severity", "title", "message", "link", "data", "count", "key", "user", "organization",
        "announcement", "read",
    )  # fmt: skip
    readonly_fields = ("created", "read")

    @admin.display(description="created")
    def created(self, row: UserNotification) -> str:
        return markup.moment(row.created_at)

    @admin.display(description="severity")
    def shown_severity(self, row: UserNotification) -> SafeString:
        return markup.state(row.severity)

    @admin.display(description="title")
    def shown_title(self, row: UserNotification) -> SafeString:
        return markup.excerpt(row.title, 60)

    @admin.display(description="read")
    def read(self, row: UserNotification) -> str:
        return markup.moment(row.read_at)


@admin.register(Inbox)
class InboxAdmin(ReadOnlyAdmin):
    list_display = ("user", "organization", "last_seq", "muted")
    list_select_related = ("organization", "user")
    search_fields = ("user__email", "organization__name")


class AnnouncementForm(forms.ModelForm):
    """What `services.announce` asks for, asked before it is called."""

    class Meta:
        model = SystemAnnouncement
        fields = ("severity", "title", "message", "starts_at", "ends_at")

    def clean(self) -> dict[str, Any]:
        found = super().clean() or {}
        starts, ends = found.get("starts_at"), found.get("ends_at")
        if starts and ends and ends <= starts:
            self.add_error("ends_at", "The end comes after the beginning.")
        return found


@admin.register(SystemAnnouncement)
class SystemAnnouncementAdmin(KeptAdmin):
    """Made here, and told to everybody from its start on. One that was told can only be ended: people have read it."""

    form = AnnouncementForm
    list_display = ("title", "shown_severity", "starts_at", "ends_at", "told", "created_by")
    list_select_related = ("created_by",)
    search_fields = ("title",)
    ordering = ("-id",)
    fields = ("severity", "title", "message", "starts_at", "ends_at", "told")

    @admin.display(description="severity")
    def shown_severity(self, row: SystemAnnouncement) -> SafeString:
        return markup.state(row.severity)

    def get_readonly_fields(self, request: HttpRequest, obj: SystemAnnouncement | None = None) -> tuple[str, ...]:
        if obj is None or obj.told_to is None:
            return ("told",)
        return ("told", "severity", "title", "message", "starts_at")

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {"starts_at": timezone.now()}

    def save_model(self, request: HttpRequest, obj: SystemAnnouncement, form: Any, change: bool) -> None:
        if change:
            super().save_model(request, obj, form, change)
            return
        made = services.announce(
            by=cast("User", request.user),
            title=obj.title,
            message=obj.message,
            severity=obj.severity,
            starts_at=obj.starts_at,
            ends_at=obj.ends_at,
        )
        obj.pk, obj._state.adding = made.pk, False
