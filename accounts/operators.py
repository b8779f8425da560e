"""What the pages of the operators' site share: records nobody writes, and long lists that open at once.

A long list is never counted, is ordered by its time-ordered key, and is paged by that key ("older than the last one shown").
Its filters and its search use keys and indexes, or look at the newest rows only.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any, ClassVar, cast
from uuid import UUID

from django import forms
from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import Field, Model, Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.functional import cached_property
from unfold.admin import ModelAdmin
from unfold.contrib.filters.admin.dropdown_filters import DropdownFilter, RelatedDropdownFilter
from unfold.contrib.filters.admin.mixins import AutocompleteMixin
from unfold.contrib.filters.forms import AutocompleteDropdownForm
from unfold.paginator import InfinitePaginator as UncountedPaginator
from unfold.views import ChangeList

from auterity.kernel.models import first_id_of

SEARCHED = 20_000  # newest rows a text search looks at
COUNTED = 10_000  # rows of a list that is not a record

_FILTER = "operators/filter.html"


class BoundedPaginator(Paginator):
    """Counts no further than `COUNTED`; what lies beyond is found by search and filters."""

    @cached_property
    def count(self) -> int:
        rows = cast("QuerySet[Any]", self.object_list)
        return rows.order_by()[:COUNTED].count()


class KeptAdmin(ModelAdmin):
    """Rows that others refer to: switched off, never deleted."""

    paginator: type = BoundedPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class ReadOnlyAdmin(KeptAdmin):
    """A record of what happened: operators look at it, nobody writes it."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class InfinitePaginator(UncountedPaginator):
    """Never counts. Keeps unfold's name for it, by which its header knows to show no number of results."""

    template_name = "operators/older.html"


class NewestFirst(ChangeList):
    """One page of a long list: by descending key, one row more than fits to know whether there are older ones."""

    older = newest = ""

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[str]:
        return ["-pk"]

    def get_results(self, request: HttpRequest) -> None:
        found = list(self.queryset[: self.list_per_page + 1])
        key = f"{self.opts.pk.name}__lt"
        self.result_list = found[: self.list_per_page]
        if len(found) > self.list_per_page:
            self.older = self.get_query_string({key: str(self.result_list[-1].pk)})
        if key in self.filter_params:
            self.newest = self.get_query_string(remove=[key])
        self.result_count = len(self.result_list)
        self.full_result_count = None
        self.show_full_result_count = self.can_show_all = self.multi_page = False
        self.show_admin_actions = True
        self.paginator = self.model_admin.get_paginator(request, self.queryset, self.list_per_page)


class RecordAdmin(ReadOnlyAdmin):
    """A table that grows for ever.

    `deferred` are the columns a list does not read, `related` the rows a page reads along, `search_keys` the keys with an index.
    """

    paginator: type = InfinitePaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    list_per_page = 50
    list_disable_select_all = True
    list_filter_submit = True
    list_fullwidth = True
    sortable_by = ()
    ordering = ("-pk",)
    deferred: ClassVar[tuple[str, ...]] = ()
    related: ClassVar[tuple[str, ...]] = ()
    search_keys: ClassVar[tuple[str, ...]] = ("id",)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return NewestFirst

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        found = super().get_queryset(request)
        match = request.resolver_match
        listing = match is not None and str(match.url_name).endswith("_changelist")
        return (
            found.defer(*self.deferred) if listing else found.select_related(*self.related) if self.related else found
        )

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        term = search_term.replace("\x00", "").strip()
        if not term:
            return queryset, False
        keys = key_range(term)
        if keys is None:
            return self.search_text(queryset, term), False
        for name in self.search_keys:  # One after the other: with OR the database walks the whole table in key order.
            found = queryset.filter(**{f"{name}__gte": keys[0], f"{name}__lte": keys[1]})
            if found.exists():
                return found, False
        return queryset.none(), False

    def search_text(self, queryset: QuerySet[Any], term: str) -> QuerySet[Any]:
        """Rows whose `search_fields` hold the term, among the newest ones of what the filters left."""
        newest = queryset.order_by("-pk").values("pk")[:SEARCHED]
        wanted = Q()
        for name in self.search_fields:
            wanted |= Q(**{f"{name}__icontains": term})
        return queryset.filter(wanted, pk__in=newest)


def key_range(text: str) -> tuple[UUID, UUID] | None:
    """The first and last id a search term may mean: a whole UUID, or the beginning of one of ours (8 digits or more)."""
    digits = text.replace("-", "").lower()
    if not 8 <= len(digits) <= 32 or not set(digits) <= set("0123456789abcdef"):
        return None
    if len(digits) < 32 and not digits.startswith("01"):  # Ids begin with the time: 01 until the year 2527.
        return None
    return UUID(digits.ljust(32, "0")), UUID(digits.ljust(32, "f"))


class _AutocompleteForm(AutocompleteDropdownForm):
    """unfold's, without asking a tenant's table through the door that wants a tenant."""

    def __init__(
        self, *, name: str, label: str, field: Any, model_admin: Any, data: dict[str, Any], **_more: Any
    ) -> None:
        forms.Form.__init__(self, data=data)
        self.fields[name] = forms.ModelChoiceField(
            label=label,
            required=False,
            queryset=field.remote_field.model._default_manager.all(),
            widget=self.widget(field, model_admin.admin_site, attrs={"class": "unfold-filter-autocomplete"}),
        )


class AutocompleteFilter(AutocompleteMixin, RelatedDropdownFilter):
    """Rows of one other thing, found by typing: `("workflow", AutocompleteFilter)`."""

    template = _FILTER
    form_class = _AutocompleteForm

    def field_choices(self, field: Field[Any, Any], request: HttpRequest, model_admin: Any) -> list[Any]:
        return []


class ChoiceFilter(DropdownFilter):
    """A short list to choose from; subclasses set `title`, `parameter_name`, `lookups` and `queryset`."""

    template = _FILTER


class NewestWith(ChoiceFilter):
    """Rows whose `column` has a value, among the newest: no index knows them all."""

    title = f"state, of the newest {SEARCHED:,}"
    column: str
    values: tuple[str, ...]

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterator[tuple[str, str]]:
        yield from ((each, each) for each in self.values)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() not in self.values:
            return queryset
        newest = queryset.order_by("-pk").values("pk")[:SEARCHED]
        return queryset.filter(**{self.column: self.value()}, pk__in=newest)


class CreatedFilter(ChoiceFilter):
    """By age, through the time-ordered key."""

    title = "created"
    parameter_name = "age"
    hours: ClassVar[dict[str, tuple[int, str]]] = {
        "hour": (1, "in the last hour"),
        "day": (24, "in the last 24 hours"),
        "week": (24 * 7, "in the last 7 days"),
        "month": (24 * 30, "in the last 30 days"),
    }

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterator[tuple[str, str]]:
        for value, (_hours, words) in self.hours.items():
            yield value, words

    def queryset(self, request: HttpRequest, queryset: QuerySet[Model]) -> QuerySet[Model]:
        chosen = self.hours.get(self.value() or "")
        if chosen is None:
            return queryset
        return queryset.filter(pk__gte=first_id_of(timezone.now() - dt.timedelta(hours=chosen[0])))
