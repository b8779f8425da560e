"""The operators' site as a whole: its first page, and what Django itself brings, shown in the same way."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.models import Group
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin

from accounts import markup
from accounts.operator_login import OperatorLoginForm
from accounts.operators import RecordAdmin
from executions.everywhere import failed_since, live_counts, oldest_due_seconds
from integrations.models import WebhookDelivery
from integrations.selectors import given_up_since
from monitoring.troubles import Trouble, wrong_now

FAILED_WITHIN = dt.timedelta(days=7)
LATE_SECONDS = 10.0

admin.site.site_header = "Auterity"
admin.site.site_title = "Auterity"
admin.site.index_title = "Operations"
admin.site.login_form = OperatorLoginForm
admin.site.login_template = "admin/auterity/login.html"
admin.site.index_template = "admin/auterity/index.html"


@dataclass(frozen=True, slots=True)
class Figure:
    """One number of the first page, and whether it calls for somebody."""

    name: str
    value: str
    note: str
    link: str
    wrong: bool = False


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """unfold's DASHBOARD_CALLBACK: what the first page shows to whoever may see executions."""
    if not request.user.has_perm("executions.view_execution"):
        return context
    now = timezone.now()
    failed = list(
        failed_since(now - FAILED_WITHIN)
        .select_related("workflow", "organization")
        .defer("input_data", "context", "output_data")
        .order_by("-id")[:10]
    )
    rows = [
        (
            markup.link(each, markup.short_id(each.id)),
            each.workflow.name,
            each.organization.name,
            markup.state(each.status),
            markup.moment(each.completed_at),
            markup.excerpt(each.error_message, 90),
        )
        for each in failed
    ]
    return {
        **context,
        "figures": figures(now),
        "troubles": _troubles(),
        "failed": markup.table(("Execution", "Workflow", "Organization", "Status", "Ended", "Error"), rows)
        if rows
        else "",
        "failed_within": f"{FAILED_WITHIN.days} days",
    }


def _troubles() -> SafeString | str:
    """What is wrong now, and where it is mended."""
    rows = [(markup.state(each.severity), each.what, markup.moment(each.since), _mending(each)) for each in wrong_now()]
    return markup.table(("", "What is wrong", "Since", "Where it is mended"), rows) if rows else ""


def _mending(trouble: Trouble) -> SafeString | str:
    if not trouble.page:
        return markup.NOTHING
    address = reverse(f"admin:{trouble.page}", args=[] if trouble.key is None else [trouble.key])
    query = f"?{urlencode(trouble.filters)}" if trouble.filters else ""
    return format_html('<a class="op-link" href="{}{}">{}</a>', address, query, trouble.mend)


def figures(now: dt.datetime) -> list[Figure]:
    """Each through an index, so that the page opens at once whatever the tables hold."""
    live, late = live_counts(), oldest_due_seconds()
    failed = failed_since(now - FAILED_WITHIN).filter(completed_at__gte=now - dt.timedelta(hours=1)).count()
    retried = WebhookDelivery.unscoped.filter(due_at__isnull=False, attempts__gt=0).count()
    given_up = given_up_since(now - dt.timedelta(days=1)).count()
    runs, deliveries = (
        reverse("admin:executions_execution_changelist"),
        reverse("admin:integrations_webhookdelivery_changelist"),
    )
    owed, given = f"{deliveries}?delivery=retried", f"{deliveries}?delivery=failed"
    return [
        Figure("Pending", f"{live['pending']:,}", "accepted, not yet begun", f"{runs}?status=pending"),
        Figure("Running", f"{live['running']:,}", "begun, not yet ended", f"{runs}?status=running"),
        Figure("Failed", f"{failed:,}", "or timed out in the last hour", f"{runs}?status=broken", failed > 0),
        Figure(
            "Longest due",
            markup.span(late) if late else "0 s",
            "due, and no worker has claimed it",
            f"{runs}?status=pending",
            late > LATE_SECONDS,
        ),
        Figure(
            "Webhooks tried again",
            f"{retried:,}",
            "failed so far, still owed",
            owed,
            retried > 0,
        ),
        Figure("Webhooks given up", f"{given_up:,}", "in the last 24 hours", given, given_up > 0),
    ]


admin.site.unregister(Group)


@admin.register(Group)
class GroupAdmin(DjangoGroupAdmin, ModelAdmin):
    """Sets of rights on this site. Whoever could change one could give themselves every right, so only superusers do."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(getattr(request.user, "is_superuser", False))

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_add_permission(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_add_permission(request)


@admin.register(LogEntry)
class LogEntryAdmin(RecordAdmin):
    """What operators did here."""

    list_display = ("at", "user", "content_type", "object_repr", "what")
    list_select_related = ("user", "content_type")
    search_fields = ("object_repr", "change_message", "user__email")
    search_keys = ("user_id",)
    fields: Any = ("at", "user", "content_type", "object_id", "object_repr", "what")
    readonly_fields = ("at", "what")

    @admin.display(description="moment")
    def at(self, entry: LogEntry) -> str:
        return markup.moment(entry.action_time)

    @admin.display(description="what")
    def what(self, entry: LogEntry) -> SafeString:
        return markup.excerpt(entry.get_change_message() or entry.get_action_flag_display(), 120)
