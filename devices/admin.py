"""The operators' view of installations and devices. Nothing here shows a key, a secret or a nonce."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from accounts.asking import asks
from accounts.operators import AutocompleteFilter, CreatedFilter, RecordAdmin
from devices import installations, services
from devices.models import Device, DeviceChallenge, Installation


@admin.register(Device)
class DeviceAdmin(RecordAdmin):
    """Operators suspend one, which ends its logins, and let a suspended one sign in again."""

    list_display = ("user", "name", "platform", "app_version", "status", "last_authenticated_at", "ended_at")
    list_filter = ("status", "platform", CreatedFilter, ("user", AutocompleteFilter))
    list_select_related = ("user",)
    search_fields = ("user__email", "name", "key_id")
    search_help_text = "E-mail, name, key or id"
    exclude: Any = ("public_key", "push_secret")
    actions = ["suspend", "allow"]

    def has_suspend_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("devices.change_device")

    @admin.action(description="Suspend", permissions=["suspend"])
    @asks("The logins of these devices end at once, and their keys open nothing until you let them sign in again.")
    def suspend(self, request: HttpRequest, queryset: QuerySet[Device]) -> None:
        count = services.suspend(device_ids=list(queryset.values_list("pk", flat=True)))
        self.message_user(request, f"{count} devices suspended.", messages.SUCCESS)

    @admin.action(description="Let sign in again", permissions=["suspend"])
    def allow(self, request: HttpRequest, queryset: QuerySet[Device]) -> None:
        count = services.allow(device_ids=list(queryset.values_list("pk", flat=True)))
        self.message_user(request, f"{count} devices may sign in again.", messages.SUCCESS)


@admin.register(Installation)
class InstallationAdmin(RecordAdmin):
    """Operators switch one off, which ends its logins."""

    list_display = ("client_name", "platform", "app_version", "is_active", "last_used_at", "created_at")
    list_filter = ("is_active", "platform", CreatedFilter)
    search_fields = ("client_name",)
    search_help_text = "Name or id"
    exclude: Any = ("secret_hash",)
    actions = ["switch_off", "switch_on"]

    def has_switch_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("devices.change_installation")

    @admin.action(description="Switch off", permissions=["switch"])
    @asks("All logins of these installations end at once, and nobody logs in through them until they are switched on.")
    def switch_off(self, request: HttpRequest, queryset: QuerySet[Installation]) -> None:
        ended = installations.switch_off(client_ids=list(queryset.values_list("pk", flat=True)))
        self.message_user(request, f"Switched off; {ended} logins ended.", messages.SUCCESS)

    @admin.action(description="Switch on", permissions=["switch"])
    def switch_on(self, request: HttpRequest, queryset: QuerySet[Installation]) -> None:
        self.message_user(request, f"{queryset.update(is_active=True)} installations switched on.", messages.SUCCESS)


@admin.register(DeviceChallenge)
class DeviceChallengeAdmin(RecordAdmin):
    list_display = ("device_id", "created_at", "expires_at", "used_at")
    list_filter = (CreatedFilter,)
    search_fields = ("device_id",)
    search_help_text = "Device or id"
    exclude: Any = ("nonce",)
