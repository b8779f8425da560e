"""The operators' view of quotas: where limits are set, how far they are used, and what was told about that."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin

from accounts import markup, quotas, usage
from accounts.limits import COUNTED, LEVELS, Period, QuotaWarning, UsageDay, UsageQuota, UsageReservation, UsageTally
from accounts.operators import AutocompleteFilter, CreatedFilter, KeptAdmin, RecordAdmin

_FIELDS = [f"{period}_{counter}" for period in Period for counter in COUNTED]


@admin.register(UsageQuota)
class UsageQuotaAdmin(KeptAdmin, ModelAdmin):
    """One row for an organization that has limits. To take a limit away, empty its field."""

    list_display = (
        "organization", "daily_workflow_executions", "monthly_workflow_executions", "monthly_ai_api_calls",
        "monthly_ai_tokens", "storage_mb", "collaborators", "updated_at",
    )  # fmt: skip
    list_select_related = ("organization",)
    search_fields = ("organization__name",)
    search_help_text = "Organization's name"
    autocomplete_fields = ("organization",)
    readonly_fields = ("use", "updated_at")
    fieldsets = (
        (None, {"fields": ("organization", "use", "updated_at")}),
        *(
            (f"A {period.label.lower()} limit", {"fields": [f"{period}_{each}" for each in COUNTED]})
            for period in Period
        ),
        ("At any moment", {"fields": list(LEVELS)}),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return (*self.readonly_fields, "organization") if obj is not None else self.readonly_fields

    def save_model(
        self, request: HttpRequest, obj: UsageQuota, form: forms.ModelForm[UsageQuota], change: bool
    ) -> None:
        with transaction.atomic():
            super().save_model(request, obj, form, change)
            quotas.limits_changed(obj, set(form.changed_data))

    @admin.display(description="used now")
    def use(self, quota: UsageQuota) -> SafeString | str:
        if quota.organization_id is None:
            return markup.NOTHING
        now = timezone.now()
        rows = [
            (counter.label, *(self._use_in(quota, counter, period, now) for period in Period)) for counter in COUNTED
        ]
        for level in LEVELS:
            standing = _of(usage.measured(quota.organization_id, level), quota.limit(level, Period.MONTHLY))
            rows.append((level.label, standing, "", ""))
        return markup.table(("", "Today", "This month", "This year"), rows)

    def _use_in(self, quota: UsageQuota, counter: str, period: Period, now: Any) -> str:
        begins, _ = quotas.period_of(period, now)
        used = usage.counted(quota.organization_id, counter, begins)
        return _of(used, quota.limit(counter, period))


@admin.register(UsageTally)
class UsageTallyAdmin(RecordAdmin):
    list_display = ("organization", "counter", "period", "begins", "used", "reserved")
    list_filter = ("counter", "period", ("organization", AutocompleteFilter))
    list_select_related = ("organization",)
    search_fields = ("organization__name",)
    related = ("organization",)


@admin.register(UsageReservation)
class UsageReservationAdmin(RecordAdmin):
    """Held back for work under way; it goes when the work ends."""

    list_display = ("organization", "since", "until", "id")
    list_filter = (CreatedFilter, ("organization", AutocompleteFilter))
    list_select_related = ("organization",)
    search_fields = ("organization__name",)
    related = ("organization",)
    fields: Any = ("organization", "since", "until", "held", "id")
    readonly_fields = ("since", "until", "held")

    @admin.display(description="since")
    def since(self, row: UsageReservation) -> str:
        return markup.moment(row.created_at)

    @admin.display(description="given back at the latest")
    def until(self, row: UsageReservation) -> str:
        return markup.moment(row.expires_at)

    @admin.display(description="held")
    def held(self, row: UsageReservation) -> SafeString:
        return markup.json_block(row.parts, "Tally and amount", opened=True)


@admin.register(UsageDay)
class UsageDayAdmin(RecordAdmin):
    list_display = ("organization", "counter", "day", "amount", "counted_to")
    list_filter = ("counter", ("organization", AutocompleteFilter))
    list_select_related = ("organization",)
    search_fields = ("organization__name",)
    related = ("organization",)


@admin.register(QuotaWarning)
class QuotaWarningAdmin(RecordAdmin):
    list_display = ("told", "organization", "percent", "counter", "period", "begins", "used", "limit")
    list_filter = (CreatedFilter, "counter", "percent", ("organization", AutocompleteFilter))
    list_select_related = ("organization",)
    search_fields = ("organization__name",)
    related = ("organization",)

    @admin.display(description="told")
    def told(self, row: QuotaWarning) -> str:
        return markup.moment(row.created_at)


def _of(used: float, limit: int | None) -> str:
    told = f"{used:,.10g}" if isinstance(used, int) else f"{used:,.2f}"
    return told if limit is None else f"{told} of {limit:,}"
