"""Every table is in the inventory of data rights, with everybody it names: a new one without a line fails here."""

from __future__ import annotations

import re

import pytest
from django.apps import apps
from django.db import models

from accounts.models import Organization, User
from privacy.inventory import TABLES, Table, by_label, children_first
from tests.architecture.source import APPS

EVERY_MODEL = [model for app in (*APPS, "api") for model in apps.get_app_config(app).get_models()]
_SECRET = re.compile(r"hash|digest|sealed|password$|secret|wrapped|fingerprint|storage_key|token_version")
_ADDRESS = re.compile(r"e?mail$|recipients?$|people$|released_by$")

CHECKSUMS = {"sha256", "checksum", "hash", "previous_hash", "last_hash", "pruned_hash"}  # of what leaves anyhow


def test_every_table_has_a_line_and_every_line_a_table() -> None:
    assert set(by_label()) == {model._meta.label for model in EVERY_MODEL}


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.label)
def test_a_line_says_whose_the_rows_are(table: Table) -> None:
    assert table.owner or table.why
    if table.owner:
        list(table.model._base_manager.filter(**{table.owner: "018f0000-0000-7000-8000-000000000000"}).none())
    direct = {
        each.name
        for each in table.model._meta.concrete_fields
        if each.is_relation and each.related_model is Organization
    }
    assert not direct or table.owner in direct


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.label)
def test_a_line_names_every_person_and_every_address(table: Table) -> None:
    fields = table.model._meta.concrete_fields
    users = {each.name for each in fields if each.is_relation and each.related_model is User}
    assert users <= {each.path for each in table.people}
    texts = {each.name for each in fields if isinstance(each, models.CharField | models.TextField)}
    addresses = {each for each in texts if _ADDRESS.search(each)}
    assert addresses <= {*table.addresses, *table.others}
    assert {*table.addresses, *table.others, *table.hidden} <= {each.name for each in fields}


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.label)
def test_no_secret_leaves(table: Table) -> None:
    fields = table.model._meta.concrete_fields
    kept = {each.name for each in fields if isinstance(each, models.BinaryField) or _SECRET.search(each.name)}
    assert kept - set(table.hidden) <= CHECKSUMS


def test_rows_go_before_what_they_refer_to() -> None:
    order = {table.model: place for place, table in enumerate(children_first())}
    assert len(order) >= 50
    for model, place in order.items():
        for field in model._meta.concrete_fields:
            other = field.related_model if field.is_relation else None
            assert other not in order or other is model or order[other] > place, (model, field.name)
