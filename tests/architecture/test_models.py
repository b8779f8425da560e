"""Migrations, and the operators' sites."""

from __future__ import annotations

from importlib import import_module
from io import StringIO

import pytest
from django.apps import apps
from django.contrib import admin
from django.core.management import call_command
from django.db import models

from tests.architecture.source import APPS, ROOT


@pytest.mark.django_db
def test_the_migrations_say_what_the_models_say() -> None:
    out = StringIO()
    call_command("makemigrations", "--check", "--dry-run", stdout=out)
    assert "No changes detected" in out.getvalue()


def test_every_migration_has_a_name_that_somebody_chose() -> None:
    names = [each.name for app in (*APPS, "api") for each in (ROOT / app / "migrations").glob("[0-9]*.py")]
    assert len(names) >= 7
    assert [each for each in names if "auto" in each.split("_") or each.removesuffix(".py").isdigit()] == []


def _shown() -> set[type[models.Model]]:
    sites = [admin.site]
    try:
        found = import_module("auterity.admin")
    except ModuleNotFoundError:
        return set(admin.site._registry)
    sites += [each for each in vars(found).values() if isinstance(each, admin.AdminSite)]
    inlines = {
        inline.model for site in sites for shown in site._registry.values() for inline in getattr(shown, "inlines", ())
    }
    return {model for site in sites for model in site._registry} | inlines


@pytest.mark.parametrize("app", [*APPS, "api"])
def test_every_model_is_on_the_operators_site(app: str) -> None:
    if not (ROOT / app / "admin.py").exists():
        pytest.skip("this app has no admin yet")
    admin.autodiscover()
    hidden = {model._meta.label for model in apps.get_app_config(app).get_models() if model not in _shown()}
    assert hidden - NOT_SHOWN == set()


# Figures and rows that only make sense inside another row's page.
NOT_SHOWN = {"artefacts.ArtefactChunk"}  # Pieces of customers' files.
