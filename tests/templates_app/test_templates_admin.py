"""The operators' pages of templates render, and protect what the catalogue's files say."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import path, reverse
from template_running import CATALOGUE

from accounts.models import User
from auterity.kernel.access import Actor
from templates_app.models import TemplateReview, WorkflowTemplate
from templates_app.seeding import seed_catalogue

urlpatterns = [path("admin/", admin.site.urls)]

pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]
LIST = "admin:templates_app_workflowtemplate_changelist"
CHANGE = "admin:templates_app_workflowtemplate_change"


@pytest.fixture
def operator(settings: Any) -> Client:
    settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if name.startswith("django.")]
    client = Client()
    client.force_login(User.objects.create_superuser("root@example.com", "pw", first_name="Ro", last_name="Ot"))
    return client


@pytest.fixture
def built_in() -> WorkflowTemplate:
    seed_catalogue([CATALOGUE["service-reminder"]])
    return WorkflowTemplate.unscoped.get()


def test_templates_are_listed_found_and_shown_with_their_parameters(
    operator: Client, built_in: WorkflowTemplate
) -> None:
    assert "Service reminder" in operator.get(reverse(LIST), {"q": "service"}).content.decode()
    shown = operator.get(reverse(CHANGE, args=[built_in.pk])).content.decode()
    assert "remind_days" in shown
    assert "Remind the customer" in shown


def test_a_template_of_the_catalogue_can_only_be_switched_off(operator: Client, built_in: WorkflowTemplate) -> None:
    page = operator.get(reverse(CHANGE, args=[built_in.pk]))
    assert list(page.context["adminform"].form.fields) == ["is_active", "preview_image"]
    operator.post(
        reverse(CHANGE, args=[built_in.pk]),
        {
            "name": "Mine",
            "parameters-TOTAL_FORMS": 0,
            "parameters-INITIAL_FORMS": 0,
        },
    )
    built_in.refresh_from_db()
    assert (built_in.name, built_in.is_active) == ("Service reminder", False)


def test_templates_are_neither_added_nor_deleted_by_hand(operator: Client, built_in: WorkflowTemplate) -> None:
    assert operator.get(reverse("admin:templates_app_workflowtemplate_add")).status_code == 403
    delete = reverse("admin:templates_app_workflowtemplate_delete", args=[built_in.pk])
    assert operator.post(delete, {"post": "yes"}).status_code == 403
    assert WorkflowTemplate.unscoped.count() == 1


def test_reviews_are_listed_and_shown(operator: Client, built_in: WorkflowTemplate, actor: Actor) -> None:
    review = TemplateReview.unscoped.create(
        template=built_in, user_id=actor.user_id, rating=4, comment="Saved us a day."
    )
    assert operator.get(reverse("admin:templates_app_templatereview_changelist")).status_code == 200
    shown = operator.get(reverse("admin:templates_app_templatereview_change", args=[review.pk]))
    assert "Saved us a day." in shown.content.decode()
