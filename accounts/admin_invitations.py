"""The operators' view of invitations and of the mails that carry them, with the buttons to revoke and to send again."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from accounts import invitations, letters, markup
from accounts.asking import asks
from accounts.models import Invitation, Letter, Proof, User
from accounts.operators import AutocompleteFilter, ChoiceFilter, CreatedFilter, RecordAdmin
from auterity.kernel.access import ROLE_PERMISSIONS, Actor, Role
from auterity.kernel.errors import DomainError


@admin.register(Invitation)
class InvitationAdmin(RecordAdmin):
    list_display = ("email", "organization", "role", "state", "created", "expires", "invited_by")
    list_filter = (CreatedFilter, ("organization", AutocompleteFilter))
    list_select_related = ("organization", "invited_by")
    search_fields = ("email", "organization__name")
    search_help_text = "Address, organization's name or id"
    related = ("organization", "invited_by", "accepted_by")
    fields: Any = (
        "email", "organization", "role", "state", "invited_by", "created", "expires", "accepted_at", "accepted_by",
        "revoked_at", "mails", "id",
    )  # fmt: skip
    readonly_fields = ("state", "created", "expires", "mails")
    actions = ["revoke", "send_again"]

    @admin.display(description="state")
    def state(self, row: Invitation) -> str:
        return invitations.status_of(row, timezone.now())

    @admin.display(description="created")
    def created(self, row: Invitation) -> str:
        return markup.moment(row.created_at)

    @admin.display(description="open until")
    def expires(self, row: Invitation) -> str:
        return markup.moment(row.expires_at)

    @admin.display(description="mails")
    def mails(self, row: Invitation) -> str:
        found = row.letters.order_by("-id")[:20]
        rows = [(markup.link(each), each.attempts, markup.moment(each.sent_at), each.problem) for each in found]
        return markup.table(("Mail", "Attempts", "Sent", "Problem"), rows)

    def has_manage_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("accounts.change_invitation")

    @admin.action(description="Revoke", permissions=["manage"])
    @asks("The links that were mailed work no more. Whoever shall join after all has to be invited anew.")
    def revoke(self, request: HttpRequest, queryset: QuerySet[Invitation]) -> None:
        self._each(request, queryset, invitations.revoke, "revoked")

    @admin.action(description="Send again with a new link", permissions=["manage"])
    def send_again(self, request: HttpRequest, queryset: QuerySet[Invitation]) -> None:
        self._each(request, queryset, invitations.send_again, "a new link is sent")

    def _each(
        self, request: HttpRequest, queryset: QuerySet[Invitation], act: Callable[..., Invitation], done: str
    ) -> None:
        assert isinstance(request.user, User), "only operators come here"  # noqa: S101  For the checker.
        admins = ROLE_PERMISSIONS[Role.ADMIN]
        for row in queryset:
            acting = Actor(request.user.pk, row.organization_id, Role.ADMIN, admins, request.user.email)
            try:
                act(actor=acting, invitation_id=row.pk)
            except DomainError as error:
                self.message_user(request, f"{row}: {error.message}", messages.WARNING)
            else:
                self.log_change(request, row, done.capitalize() + ".")
                self.message_user(request, f"{row}: {done}.", messages.SUCCESS)


@admin.register(Proof)
class ProofAdmin(RecordAdmin):
    """Links by which people prove that a mailbox is theirs. Which link it is cannot be seen."""

    list_display = ("email", "purpose", "created", "expires", "used")
    list_filter = (CreatedFilter, "purpose")
    search_fields = ("email",)
    search_help_text = "Address or id"
    related = ("user", "letter")
    fields: Any = ("user", "email", "purpose", "letter", "created", "expires", "used", "id")
    readonly_fields = ("created", "expires", "used")

    @admin.display(description="created")
    def created(self, row: Proof) -> str:
        return markup.moment(row.created_at)

    @admin.display(description="open until")
    def expires(self, row: Proof) -> str:
        return markup.moment(row.expires_at)

    @admin.display(description="used or replaced")
    def used(self, row: Proof) -> str:
        return markup.moment(row.used_at)


class SendingFilter(ChoiceFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("owed", "owed"), ("given_up", "given up, of the last 30 days")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "owed":
            return queryset.filter(due_at__isnull=False)
        if self.value() == "given_up":
            lost = letters.given_up_since(timezone.now() - dt.timedelta(days=30))
            return queryset.filter(pk__in=lost.values("pk"))
        return queryset


@admin.register(Letter)
class LetterAdmin(RecordAdmin):
    """Mails of ours. What they say is made when they are sent."""

    list_display = ("recipient", "kind", "created", "due", "sent", "attempts", "problem")
    list_filter = (SendingFilter, CreatedFilter, "kind")
    search_fields = ("recipient", "problem")
    search_help_text = "Address, problem or id"
    fields: Any = ("recipient", "kind", "invitation", "created", "due", "sent", "attempts", "problem", "id")
    readonly_fields = ("created", "due", "sent")
    actions = ["try_now"]

    @admin.display(description="created")
    def created(self, row: Letter) -> str:
        return markup.moment(row.created_at)

    @admin.display(description="due")
    def due(self, row: Letter) -> str:
        return markup.moment(row.due_at)

    @admin.display(description="sent")
    def sent(self, row: Letter) -> str:
        return markup.moment(row.sent_at)

    def has_manage_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("accounts.change_letter")

    @admin.action(description="Try to send now", permissions=["manage"])
    def try_now(self, request: HttpRequest, queryset: QuerySet[Letter]) -> None:
        count = letters.try_now(queryset)
        self.message_user(request, f"{count} mails are due now.", messages.SUCCESS)
