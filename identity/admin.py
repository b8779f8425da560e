"""The operators' view of passkeys, providers and links. Nothing here shows or takes a secret."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest
from django.utils import timezone

from accounts.asking import asks
from accounts.operators import AutocompleteFilter, CreatedFilter, KeptAdmin, RecordAdmin
from identity import sso
from identity.models import Ceremony, ExternalIdentity, OAuthGrant, OAuthState, Passkey, SsoProvider


@admin.register(Passkey)
class PasskeyAdmin(RecordAdmin):
    """Operators suspend one, and let a suspended one count again."""

    list_display = ("user", "nickname", "backed_up", "sign_count", "last_used_at", "suspended_at")
    list_filter = (CreatedFilter, ("user", AutocompleteFilter))
    list_select_related = ("user",)
    search_fields = ("user__email", "nickname")
    search_help_text = "E-mail, name or id"
    actions = ["suspend", "allow"]

    def has_suspend_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("identity.change_passkey")

    @admin.action(description="Suspend", permissions=["suspend"])
    @asks(
        "Nobody signs in with these passkeys until you allow them again. Who has no other way to sign in is locked out."
    )
    def suspend(self, request: HttpRequest, queryset: QuerySet[Passkey]) -> None:
        count = queryset.filter(suspended_at=None).update(suspended_at=timezone.now())
        self.message_user(request, f"{count} passkeys suspended.", messages.SUCCESS)

    @admin.action(description="Allow again", permissions=["suspend"])
    def allow(self, request: HttpRequest, queryset: QuerySet[Passkey]) -> None:
        count = queryset.exclude(suspended_at=None).update(suspended_at=None)
        self.message_user(request, f"{count} passkeys count again.", messages.SUCCESS)


@admin.register(Ceremony)
class CeremonyAdmin(RecordAdmin):
    list_display = ("purpose", "user", "created_at", "expires_at", "used_at")
    list_filter = (CreatedFilter,)
    list_select_related = ("user",)
    search_fields = ("user__email",)
    search_help_text = "E-mail or id"
    exclude: Any = ("challenge", "pending")


@admin.register(SsoProvider)
class SsoProviderAdmin(KeptAdmin):
    """Operators may switch one off, or no longer compulsory: what helps people who are shut out."""

    list_display = ("name", "issuer", "organization", "is_required", "is_active", "updated_at")
    list_filter = ("is_active", "is_required", ("organization", AutocompleteFilter))
    list_filter_submit = True
    list_select_related = ("organization",)
    search_fields = ("name", "issuer")
    ordering = ("name",)
    readonly_fields = (
        "id", "organization", "name", "issuer", "client_id", "allowed_domains", "default_role", "creates_members",
        "links_members", "created_at", "updated_at",
    )  # fmt: skip

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: SsoProvider, form: ModelForm[SsoProvider], change: bool) -> None:
        sso.switched_by_operator(obj)


@admin.register(ExternalIdentity)
class ExternalIdentityAdmin(RecordAdmin):
    list_display = ("user", "issuer", "subject", "email", "provider", "last_used_at")
    list_filter = (CreatedFilter, ("user", AutocompleteFilter))
    list_select_related = ("user", "provider")
    search_fields = ("user__email", "email", "subject")
    search_help_text = "E-mail, subject or id"


@admin.register(OAuthGrant)
class OAuthGrantAdmin(RecordAdmin):
    list_display = ("user", "organization", "scopes", "health", "token_expires_at", "last_used_at")
    list_filter = (CreatedFilter, ("organization", AutocompleteFilter))
    list_select_related = ("user", "organization")
    search_fields = ("user__email", "last_error")
    search_help_text = "E-mail, error or id"
    exclude: Any = ("sealed",)


@admin.register(OAuthState)
class OAuthStateAdmin(RecordAdmin):
    list_display = ("issuer", "user", "created_at", "expires_at", "used_at")
    list_filter = (CreatedFilter,)
    list_select_related = ("user",)
    search_fields = ("issuer", "user__email")
    search_help_text = "Issuer, e-mail or id"
    exclude: Any = ("state_hash", "binding_hash")
