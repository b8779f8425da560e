"""The operators' view of second factors, logins that were tried, and policies. No secret and no hash is shown."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from accounts import markup, second_factors, secret_words
from accounts.asking import asks
from accounts.credentials import LoginOutcome
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
from accounts.operators import SEARCHED, AutocompleteFilter, CreatedFilter, NewestWith, ReadOnlyAdmin, RecordAdmin


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
    @asks(
        "Be sure who asked for it: from then on a password is enough to log in as these people. They are told by mail."
    )
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


class OutcomeFilter(NewestWith):
    title = f"outcome, of the newest {SEARCHED:,}"
    parameter_name = "came"
    column = "outcome"
    values = tuple(LoginOutcome.values)


@admin.register(LoginAttempt)
class LoginAttemptAdmin(RecordAdmin):
    list_display = ("created", "user", "came", "method", "dialect", "address", "risk_score")
    list_filter = (CreatedFilter, OutcomeFilter, ("user", AutocompleteFilter))
    list_select_related = ("user",)
    search_fields = ("user__email", "address")
    search_help_text = "E-mail, address or id"
    deferred = ("risk",)
    fields: Any = (
        "created", "user", "organization", "came", "method", "dialect", "address", "network", "user_agent", "session_id",
        "risk_score", "reasons", "id",
    )  # fmt: skip
    readonly_fields = ("created", "came", "reasons")
    actions = ("unlock",)

    @admin.display(description="at")
    def created(self, attempt: LoginAttempt) -> str:
        return markup.moment(attempt.created_at)

    @admin.display(description="outcome")
    def came(self, attempt: LoginAttempt) -> SafeString:
        return markup.state(attempt.outcome)

    @admin.display(description="risk")
    def reasons(self, attempt: LoginAttempt) -> SafeString:
        return markup.json_block(attempt.risk, "What was looked at", opened=True)

    def has_unlock_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("accounts.change_user")

    @admin.action(description="Let these people try again", permissions=["unlock"])
    def unlock(self, request: HttpRequest, queryset: QuerySet[LoginAttempt]) -> None:
        emails = set(queryset.filter(user__isnull=False).values_list("user__email", flat=True))
        for email in emails:
            secret_words.unlock(email)
        self.message_user(request, f"{', '.join(sorted(emails)) or 'Nobody'} may try again.", messages.SUCCESS)


@admin.register(GuessCount)
class GuessCountAdmin(ReadOnlyAdmin):
    """Whose it is cannot be seen: the key is a hash. People are unlocked on their own page, or from their login attempts."""

    list_display = ("key", "updated_at")
    search_fields = ("=key",)
    ordering = ("-updated_at",)

    def has_delete_permission(self, request: HttpRequest, obj: GuessCount | None = None) -> bool:
        """Whoever is locked out may try again once the row is gone."""
        return request.user.has_perm("accounts.delete_guesscount")


@admin.register(SpentToken)
class SpentTokenAdmin(ReadOnlyAdmin):
    list_display = ("id", "expires_at")
    search_fields = ("=id",)
    ordering = ("-expires_at",)


@admin.register(OrganizationPolicies)
class OrganizationPoliciesAdmin(ReadOnlyAdmin):
    list_display = ("organization", "version", "updated_at", "updated_by")
    list_select_related = ("organization", "updated_by")
    search_fields = ("organization__name",)
