"""The operators' view of second factors, logins that were tried, and policies. No secret and no hash is shown."""

from __future__ import annotations

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from accounts import second_factors
from accounts.models import (
    BackupCode,
    GuessCount,
    LoginAttempt,
    OrganizationPolicies,
    PasswordRecord,
    SpentToken,
    Totp,
    TrustedDevice,
)
from accounts.operators import AutocompleteFilter, CreatedFilter, ReadOnlyAdmin, RecordAdmin


@admin.register(Totp)
class TotpAdmin(ReadOnlyAdmin):
    list_display = ("user", "label", "confirmed_at", "drift", "created_at")
    list_select_related = ("user",)
    search_fields = ("user__email",)
    exclude = ("secret",)
    actions = ["reset"]

    def has_reset_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("accounts.change_totp")

    @admin.action(description="Take away the person's second factors and end their logins", permissions=["reset"])
    def reset(self, request: HttpRequest, queryset: QuerySet[Totp]) -> None:
        people = list(queryset.values_list("user_id", flat=True))
        ended = sum(second_factors.reset(user_id=each) for each in people)
        self.message_user(request, f"{len(people)} people, {ended} sessions ended.", messages.SUCCESS)


@admin.register(BackupCode)
class BackupCodeAdmin(ReadOnlyAdmin):
    list_display = ("user", "used_at", "created_at")
    list_select_related = ("user",)
    search_fields = ("user__email",)
    exclude = ("code_hash",)


@admin.register(PasswordRecord)
class PasswordRecordAdmin(ReadOnlyAdmin):
    list_display = ("user", "created_at")
    list_select_related = ("user",)
    search_fields = ("user__email",)
    exclude = ("password",)


@admin.register(TrustedDevice)
class TrustedDeviceAdmin(ReadOnlyAdmin):
    list_display = ("user", "name", "trusted_until", "created_at")
    list_select_related = ("user",)
    search_fields = ("user__email", "name")
    exclude = ("fingerprint",)

    def has_delete_permission(self, request: HttpRequest, obj: TrustedDevice | None = None) -> bool:
        return request.user.has_perm("accounts.delete_trusteddevice")


@admin.register(LoginAttempt)
class LoginAttemptAdmin(RecordAdmin):
    list_display = ("user", "outcome", "method", "dialect", "address", "risk_score", "created_at")
    list_filter = (CreatedFilter, ("user", AutocompleteFilter))
    list_select_related = ("user",)
    search_fields = ("user__email", "address")
    search_help_text = "E-mail, address or id"
    deferred = ("risk",)


@admin.register(GuessCount)
class GuessCountAdmin(ReadOnlyAdmin):
    list_display = ("key", "updated_at")
    search_fields = ("=key",)
    ordering = ("-updated_at",)
    show_full_result_count = False

    def has_delete_permission(self, request: HttpRequest, obj: GuessCount | None = None) -> bool:
        """Whoever is locked out may try again once the row is gone."""
        return request.user.has_perm("accounts.delete_guesscount")


@admin.register(SpentToken)
class SpentTokenAdmin(ReadOnlyAdmin):
    list_display = ("id", "expires_at")
    search_fields = ("=id",)
    ordering = ("-expires_at",)
    show_full_result_count = False


@admin.register(OrganizationPolicies)
class OrganizationPoliciesAdmin(ReadOnlyAdmin):
    list_display = ("organization", "version", "updated_at", "updated_by")
    list_select_related = ("organization", "updated_by")
    search_fields = ("organization__name",)
