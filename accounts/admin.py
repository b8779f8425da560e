"""The operators' view of people, organizations and logins. Whatever takes rights away here also ends the logins."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from accounts import admin_access, admin_invitations, admin_limits, admin_security, passwords, secret_words, services
from accounts.asking import asks
from accounts.models import Membership, Organization, RefreshToken, Session, User
from accounts.operators import AutocompleteFilter, CreatedFilter, KeptAdmin, RecordAdmin

__all__ = ["admin_access", "admin_invitations", "admin_limits", "admin_security"]  # Registered by being imported.


POWERS = ("is_staff", "is_superuser", "groups", "user_permissions")


def _may_do_everything(request: HttpRequest) -> bool:
    return bool(getattr(request.user, "is_superuser", False))


class PersonCreationForm(UserCreationForm):
    class Meta:
        model = User
        fields = ("email", "first_name", "last_name")


class PersonChangeForm(UserChangeForm):
    class Meta:
        model = User
        fields = "__all__"


class PasswordForm(AdminPasswordChangeForm):
    """A new password also ends every login made with the old one."""

    def save(self, commit: bool = True) -> Any:
        with transaction.atomic():
            user = super().save(commit)
            if commit:
                passwords.chosen_by_operator(user)
            services.end_all_sessions(user_ids=[user.pk], reason="password changed by an operator")
        return user


@admin.register(User)
class UserAdmin(DjangoUserAdmin, KeptAdmin):
    form = PersonChangeForm
    add_form = PersonCreationForm
    change_password_form = PasswordForm
    list_display = ("email", "first_name", "last_name", "is_active", "is_staff", "created_at")
    list_filter = ("is_active", "is_staff", "is_superuser")
    search_fields = ("email", "first_name", "last_name")
    ordering = ("email",)
    readonly_fields = ("id", "email_verified_at", "last_login", "created_at", "updated_at", "token_version")
    fieldsets = (
        (None, {"fields": ("email", "password", "first_name", "last_name", "is_active")}),
        ("Operators' site", {"fields": ("is_staff", "is_superuser", "groups", "user_permissions")}),
        ("Record", {"fields": ("id", "email_verified_at", "last_login", "created_at", "updated_at", "token_version")}),
    )
    add_fieldsets = (
        (None, {"fields": ("email", "first_name", "last_name", "usable_password", "password1", "password2")}),
    )
    actions = ["revoke_sessions", "unlock"]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """What an operator may do is said by those who may do everything: nobody gives themselves more."""
        shown = super().get_readonly_fields(request, obj)
        return shown if _may_do_everything(request) else (*shown, *POWERS)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Another operator's account, and so their password and address, is for those who may do everything too."""
        mine = obj is None or not (obj.is_staff or obj.is_superuser) or obj.pk == request.user.pk
        return (mine or _may_do_everything(request)) and super().has_change_permission(request, obj)

    def save_model(self, request: HttpRequest, obj: User, form: forms.ModelForm[User], change: bool) -> None:
        super().save_model(request, obj, form, change)
        if change and "is_active" in form.changed_data:
            services.end_all_sessions(user_ids=[obj.pk], reason="account changed by an operator")

    @admin.action(description="Unlock after too many wrong passwords", permissions=["change"])
    def unlock(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        for email in queryset.values_list("email", flat=True):
            secret_words.unlock(email)
        self.message_user(request, "They may try again.", messages.SUCCESS)

    @admin.action(description="Revoke all sessions", permissions=["change"])
    @asks("Every login of these people ends at once, on all their devices. They have to log in anew.")
    def revoke_sessions(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        ended = services.end_all_sessions(
            user_ids=queryset.values_list("pk", flat=True), reason="revoked by an operator"
        )
        self.message_user(request, f"{ended} sessions ended.", messages.SUCCESS)


@admin.register(Organization)
class OrganizationAdmin(KeptAdmin):
    list_display = ("name", "is_personal", "is_active", "created_at")
    list_filter = ("is_active", "is_personal")
    search_fields = ("name", "=id")
    readonly_fields = ("id", "created_at", "updated_at")

    def save_model(
        self, request: HttpRequest, obj: Organization, form: forms.ModelForm[Organization], change: bool
    ) -> None:
        super().save_model(request, obj, form, change)
        if change and "is_active" in form.changed_data:
            ids = Session.objects.filter(organization=obj, revoked_at=None).values_list("pk", flat=True)
            services.end_sessions(session_ids=ids, reason="organization changed by an operator")


@admin.register(Membership)
class MembershipAdmin(KeptAdmin):
    list_display = ("user", "organization", "role", "is_active", "created_at")
    list_filter = ("role", "is_active")
    list_select_related = ("user", "organization")
    search_fields = ("user__email", "organization__name")
    autocomplete_fields = ("user", "organization")
    readonly_fields = ("custom_role", "id", "created_at", "updated_at")

    def save_model(
        self, request: HttpRequest, obj: Membership, form: forms.ModelForm[Membership], change: bool
    ) -> None:
        if "role" in form.changed_data:
            obj.custom_role = None  # A built-in role that an operator gives takes its place.
        super().save_model(request, obj, form, change)
        if change and form.changed_data:
            services.end_all_sessions(user_ids=[obj.user_id], reason="membership changed by an operator")


@admin.register(Session)
class SessionAdmin(RecordAdmin):
    list_display = ("user", "dialect", "address", "created_at", "last_seen_at", "revoked_at", "revoke_reason")
    list_filter = (CreatedFilter, ("user", AutocompleteFilter))
    list_select_related = ("user",)
    search_fields = ("user__email", "address")
    search_help_text = "E-mail, address or id"
    actions = ["revoke_sessions"]

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("accounts.change_session")

    @admin.action(description="Revoke sessions", permissions=["revoke"])
    @asks("These logins end at once, with their tokens and open sockets.")
    def revoke_sessions(self, request: HttpRequest, queryset: QuerySet[Session]) -> None:
        ended = services.end_sessions(
            session_ids=queryset.values_list("pk", flat=True), reason="revoked by an operator"
        )
        self.message_user(request, f"{ended} sessions ended.", messages.SUCCESS)


@admin.register(RefreshToken)
class RefreshTokenAdmin(RecordAdmin):
    list_display = ("id", "session", "used_at", "expires_at")
    list_select_related = ("session",)
    search_fields = ("session__user__email",)
    search_keys = ("id", "session_id")
    search_help_text = "E-mail, token or session id"
