"""Every model of ours has its pages: a list that opens and searches, and a page of one row. Found, not listed by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.apps import apps
from django.conf import settings
from django.contrib import admin
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.operators import COUNTED, BoundedPaginator, RecordAdmin


def ours() -> list:
    """Models of the apps that stand in this repository."""
    root = Path(settings.ROOT)
    local = [app for app in apps.get_app_configs() if Path(app.path).parent == root]
    return [model for app in local for model in app.get_models()]


#: A template's parameters are part of its page; pieces of customers' files are nobody's to look at.
WITHIN_ANOTHER = {"artefacts.artefactchunk", "templates_app.templateparameter"}
#: A handful of rows a template, read on their list.
REGISTERED = [model for model in admin.site._registry if model in ours()]
KEPT = [model for model, of in admin.site._registry.items() if issubclass(of.paginator, BoundedPaginator)]
RECORDS = [model for model, of in admin.site._registry.items() if isinstance(of, RecordAdmin)]


def page(model, name: str, *args) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{name}", args=args)


def label(model) -> str:
    return model._meta.label_lower


@pytest.mark.parametrize("model", REGISTERED, ids=label)
def test_what_a_page_computes_has_a_name_of_its_own(model) -> None:
    """Django shows a column before it asks a method of the same name."""
    of = admin.site._registry[model]
    columns = {each.name for each in model._meta.concrete_fields}
    named = {each for each in (*of.list_display, *of.readonly_fields) if isinstance(each, str)}
    assert {each for each in named & columns if hasattr(type(of), each)} == set()


def test_every_model_of_ours_is_registered_and_searchable() -> None:
    assert len(ours()) > 10
    missing = {label(model) for model in ours() if not admin.site.is_registered(model)}
    assert missing <= WITHIN_ANOTHER
    assert {label(model) for model in REGISTERED if not admin.site._registry[model].search_fields} == set()


@pytest.mark.parametrize("model", REGISTERED, ids=label)
def test_an_operator_opens_the_list_the_search_and_the_row(operator, row_of, model) -> None:
    row = row_of(model)
    listing = operator.get(page(model, "changelist"))
    assert listing.status_code == 200
    assert [each.pk for each in listing.context["cl"].result_list].count(row.pk) == 1
    for term in ("x", "50%_'\"", "01a20103-fc18", "01a20103-fc18-70b5-8000-000000000000", "<script>", "a\x00b"):
        assert operator.get(page(model, "changelist"), {"q": term}).status_code == 200, term
    assert operator.get(page(model, "change", row.pk)).status_code == 200
    assert operator.get(page(model, "history", row.pk)).status_code == 200


@pytest.mark.parametrize("model", REGISTERED, ids=label)
def test_who_is_no_operator_sees_none_of_it(stranger, client, row_of, model) -> None:
    row = row_of(model)
    for visitor in (stranger, client):
        for path in (page(model, "changelist"), page(model, "change", row.pk)):
            answer = visitor.get(path)
            assert answer.status_code == 302
            assert answer.url.startswith("/admin/login/")


@pytest.mark.parametrize("model", RECORDS, ids=label)
def test_a_long_list_is_never_counted(operator, row_of, model) -> None:
    row_of(model)
    for query in ({}, {"q": "x"}):
        with CaptureQueriesContext(
            connection,
        ) as captured:
            assert operator.get(page(model, "changelist"), query).status_code == 200
        assert [each["sql"] for each in captured if "COUNT(" in each["sql"].upper()] == []


@pytest.mark.parametrize("model", KEPT, ids=label)
def test_a_list_of_what_is_kept_is_counted_up_to_a_bound(operator, row_of, model) -> None:
    row_of(model)
    for query in ({}, {"q": "x"}):
        with CaptureQueriesContext(connection) as captured:
            assert operator.get(page(model, "changelist"), query).status_code == 200
        counts = [each["sql"] for each in captured if "COUNT(" in each["sql"].upper()]
        assert [each for each in counts if f"LIMIT {COUNTED}" not in each] == []


@pytest.mark.parametrize("model", RECORDS, ids=label)
def test_a_record_is_neither_added_nor_changed_nor_deleted(operator, row_of, model) -> None:
    row = row_of(model)
    assert operator.get(page(model, "add")).status_code == 403
    assert operator.post(page(model, "change", row.pk), {"status": "completed"}).status_code == 403
    assert operator.post(page(model, "delete", row.pk), {"post": "yes"}).status_code == 403
    assert model._default_manager.filter(pk=row.pk).exists()


def test_a_long_list_is_walked_by_key_and_every_row_comes_once(operator, in_state, monkeypatch) -> None:
    from executions.models import Execution

    monkeypatch.setattr(admin.site._registry[Execution], "list_per_page", 2)
    stored = [in_state("pending").pk for _ in range(5)]
    seen, query = [], "?status=pending"
    while query:
        shown = operator.get(page(Execution, "changelist") + query).context["cl"]
        seen += [each.pk for each in shown.result_list]
        query = shown.older
    assert seen == stored[::-1]
    assert operator.get(page(Execution, "changelist") + "?id__lt=nonsense").status_code == 302


def test_the_list_asks_as_many_questions_for_many_executions_as_for_one(operator, in_state) -> None:
    from executions.models import Execution

    def questions() -> int:
        with CaptureQueriesContext(connection) as captured:
            operator.get(page(Execution, "changelist"))
        return len(captured)

    in_state("failed")
    one = questions()
    for status in ("failed", "running", "completed"):
        in_state(status)
    assert questions() == one
    assert one <= 4
