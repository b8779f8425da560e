"""Stored messages: the organization's own before the built-in one, and never another organization's."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, transaction

from accounts.models import Organization
from auterity.kernel.tenancy import TenancyError
from engine.expressions import Scope, compile_template
from integrations.builtin_templates import BUILTIN
from integrations.errors import MessageTemplateNotFound
from integrations.models import MessageTemplate
from integrations.selectors import message_template, message_template_names
from integrations.services import ensure_builtin_templates

NAMES = ["appointment_confirmation", "follow_up_template", "review_request", "service_reminder"]


def rendered(template: str, **data: object) -> str:
    scope = Scope(inputs=data, input=data, now="2026-01-01T00:00:00Z")
    text = compile_template(template).render(scope)
    assert isinstance(text, str)
    return text


@pytest.mark.parametrize("message", BUILTIN, ids=lambda each: each.name)
def test_builtin_template_renders_with_nothing_but_an_address(message) -> None:
    for template in (message.subject, message.text, message.html):
        text = rendered(template, customer_email="ann@example.com")
        assert text
        assert "{{" not in text
    assert rendered(message.text, customer_email="ann@example.com").startswith("Hello there,\n\n")
    assert rendered(message.text, customer_name="Ann").startswith("Hello Ann,\n\n")


def test_builtin_template_uses_what_it_is_given() -> None:
    confirmation = next(each for each in BUILTIN if each.name == "appointment_confirmation")
    text = rendered(
        confirmation.text,
        customer_name="Ann",
        appointment_date="3 March",
        appointment_time="10:00",
        company_name="Shop",
    )
    assert text == (
        "Hello Ann,\n\nThis confirms your appointment on 3 March at 10:00.\n\n"
        "If you need another time, just reply to this message.\n\nKind regards,\nShop\n"
    )


@pytest.mark.django_db
class TestStored:
    @pytest.fixture
    def organization(self) -> Organization:
        ensure_builtin_templates()
        return Organization.objects.create(name="Shop")

    def test_builtin_templates_are_everybodys(self, organization: Organization) -> None:
        found = message_template(organization_id=organization.pk, name="follow_up_template")
        assert (found.organization_id, found.subject) == (None, BUILTIN[0].subject)
        assert message_template_names(organization_id=organization.pk) == NAMES

    def test_own_template_goes_first_and_stays_private(self, organization: Organization) -> None:
        other = Organization.objects.create(name="Other")
        MessageTemplate.unscoped.create(organization=organization, name="follow_up_template", subject="Ours", text="t")
        MessageTemplate.unscoped.create(organization=organization, name="secret", subject="Ours", text="t")
        assert message_template(organization_id=organization.pk, name="follow_up_template").subject == "Ours"
        assert message_template(organization_id=other.pk, name="follow_up_template").subject == BUILTIN[0].subject
        with pytest.raises(MessageTemplateNotFound) as missing:
            message_template(organization_id=other.pk, name="secret")
        assert missing.value.details == {"name": "secret", "known": NAMES}

    def test_missing_template_lists_the_names_there_are(self, organization: Organization) -> None:
        with pytest.raises(MessageTemplateNotFound, match=f"no message template 'x'. There are: {', '.join(NAMES)}."):
            message_template(organization_id=organization.pk, name="x")

    def test_ensuring_again_changes_nothing(self, organization: Organization) -> None:
        MessageTemplate.unscoped.filter(name="review_request").update(subject="Changed by an operator")
        MessageTemplate.unscoped.filter(name="service_reminder").delete()
        assert ensure_builtin_templates() == 1
        assert ensure_builtin_templates() == 0
        assert MessageTemplate.unscoped.filter(organization=None).count() == 4
        assert MessageTemplate.unscoped.get(name="review_request").subject == "Changed by an operator"

    @pytest.mark.parametrize("builtin", [True, False])
    def test_name_is_taken_once(self, organization: Organization, builtin: bool) -> None:
        owner = None if builtin else organization
        MessageTemplate.unscoped.create(organization=owner, name="once", subject="s", text="t")
        with pytest.raises(IntegrityError), transaction.atomic():
            MessageTemplate.unscoped.create(organization=owner, name="once", subject="s", text="t")

    def test_query_without_a_tenant_fails(self) -> None:
        with pytest.raises(TenancyError):
            MessageTemplate.objects.all()
