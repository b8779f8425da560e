"""The operators' pages render, and what takes rights away there ends logins too."""

from __future__ import annotations

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import path, reverse

from accounts import invitations, letters, links, tokens
from accounts.errors import TokenInvalid
from accounts.models import Invitation, Letter, Membership, Organization, Session, UsageQuota, UsageTally, User

urlpatterns = [path("admin/", admin.site.urls)]

pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]


@pytest.fixture
def operator(settings) -> Client:
    settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if name.startswith("django.")]
    client = Client()
    client.force_login(User.objects.create_superuser("root@example.com", "pw", first_name="Ro", last_name="Ot"))
    return client


def is_dead(pair) -> bool:
    try:
        tokens.authenticate_access(pair.access_token)
    except TokenInvalid:
        return True
    return False


def fields(response) -> dict[str, object]:
    """A change form's present values, as a browser would send them back."""
    form = response.context["adminform"].form
    values = {name: form.get_initial_for_field(field, name) for name, field in form.fields.items()}
    management = {
        f"{formset.formset.prefix}-{key}": value
        for formset in response.context["inline_admin_formsets"]
        for key, value in formset.formset.management_form.initial.items()
    }
    return {name: value for name, value in {**values, **management}.items() if value not in (None, False)}


@pytest.mark.parametrize("model", ["user", "organization", "membership", "session", "refreshtoken"])
def test_every_list_opens_and_searches(operator, founder, log_in, model: str) -> None:
    log_in()
    listing = reverse(f"admin:accounts_{model}_changelist")
    assert operator.get(listing).status_code == 200
    assert operator.get(listing, {"q": "ann"}).status_code == 200


@pytest.mark.parametrize("model", [User, Organization, Membership])
def test_every_form_opens(operator, founder, model) -> None:
    name = model._meta.model_name
    row = model.objects.order_by("id").first()
    assert operator.get(reverse(f"admin:accounts_{name}_add")).status_code == 200
    assert operator.get(reverse(f"admin:accounts_{name}_change", args=[row.pk])).status_code == 200


@pytest.mark.parametrize("model", [User, Organization, Membership])
def test_nobody_and_nothing_is_deleted_by_hand(operator, founder, model) -> None:
    row = model.objects.first()
    page = reverse(f"admin:accounts_{model._meta.model_name}_delete", args=[row.pk])
    assert operator.post(page, {"post": "yes"}).status_code == 403
    assert model.objects.filter(pk=row.pk).exists()


def test_a_session_is_looked_at_and_not_written(operator, founder, log_in) -> None:
    session = Session.objects.get(pk=log_in().actor.session_id)
    page = reverse("admin:accounts_session_change", args=[session.pk])
    assert operator.get(page).status_code == 200
    assert operator.post(page, {"dialect": "x"}).status_code == 403
    assert operator.get(reverse("admin:accounts_session_add")).status_code == 403


@pytest.mark.parametrize("model", ["user", "session"])
def test_the_action_revokes_sessions(operator, founder, log_in, model: str) -> None:
    pair = log_in()
    chosen = pair.actor.user_id if model == "user" else pair.actor.session_id
    listing = reverse(f"admin:accounts_{model}_changelist")
    sent = {"action": "revoke_sessions", "_selected_action": [str(chosen)]}
    asked = operator.post(listing, sent)
    assert asked.context["sent"] == [
        ("action", "revoke_sessions"), ("select_across", "0"), ("_selected_action", str(chosen)), ("confirmed", "yes"),
    ]  # fmt: skip
    assert not is_dead(pair)
    answer = operator.post(listing, dict(asked.context["sent"]), follow=True)
    assert [str(message) for message in answer.context["messages"]] == ["1 sessions ended."]
    assert is_dead(pair)
    assert Session.objects.get().revoke_reason == "revoked by an operator"


def test_an_account_is_made_with_a_checked_password_and_a_lower_case_address(operator, log_in) -> None:
    page = reverse("admin:accounts_user_add")
    sent = {"email": "NEW@Example.com", "first_name": "N", "last_name": "W", "usable_password": "true"}
    assert operator.post(page, {**sent, "password1": "short", "password2": "short"}).status_code == 200
    assert User.objects.filter(email="new@example.com").count() == 0
    made = operator.post(page, {**sent, "password1": "correct horse 9", "password2": "correct horse 9"})
    assert made.status_code == 302
    assert User.objects.get(email="new@example.com").check_password("correct horse 9")
    again = operator.post(page, {**sent, "password1": "correct horse 9", "password2": "correct horse 9"})
    assert again.context["adminform"].form.errors.keys() == {"email"}


def test_a_new_password_ends_the_logins_made_with_the_old_one(operator, founder, log_in) -> None:
    pair = log_in()
    page = reverse("admin:auth_user_password_change", args=[founder.user.pk])
    assert operator.get(page).status_code == 200
    sent = {"password1": "another horse 7", "password2": "another horse 7", "usable_password": "true"}
    assert operator.post(page, sent).status_code == 302
    assert is_dead(pair)
    assert not is_dead(log_in(password="another horse 7"))


@pytest.mark.parametrize("model", [User, Organization, Membership])
def test_switching_off_by_hand_ends_the_logins(operator, founder, log_in, model) -> None:
    pair = log_in()
    row = model.objects.exclude(pk__in=User.objects.filter(is_staff=True)).get()
    page = reverse(f"admin:accounts_{model._meta.model_name}_change", args=[row.pk])
    sent = fields(operator.get(page))
    del sent["is_active"]
    answer = operator.post(page, sent)
    assert answer.status_code == 302, answer.context["adminform"].form.errors
    assert model.objects.get(pk=row.pk).is_active is False
    assert is_dead(pair)
    assert Session.objects.get().revoked_at


def test_an_operator_sets_limits_and_sees_how_far_they_are_used(operator, admin) -> None:
    add = reverse("admin:accounts_usagequota_add")
    sent = {"organization": admin.organization_id, "monthly_ai_tokens": 100, "collaborators": 3}
    assert operator.post(add, sent).status_code == 302
    quota = UsageQuota.unscoped.get()
    assert (quota.limit("ai_tokens", "monthly"), quota.limit("ai_tokens", "daily")) == (100, None)
    assert quota.limit("collaborators", "daily") == 3
    assert [(each.counter, each.used) for each in UsageTally.unscoped.all()] == [("ai_tokens", 0)]
    page = reverse("admin:accounts_usagequota_change", args=[quota.pk])
    shown = operator.get(page).content.decode()
    assert "0 of 100" in shown
    assert "1 of 3" in shown
    assert operator.post(page, {"monthly_ai_tokens": -1}).status_code == 200  # The form again, with what is wrong.
    assert operator.post(page, {"monthly_ai_tokens": "", "collaborators": 3}).status_code == 302
    assert UsageTally.unscoped.count() == 0
    assert operator.post(page.replace("change", "delete"), {"post": "yes"}).status_code == 403


def test_an_operator_revokes_invitations_and_sends_them_again(operator, admin) -> None:
    made = invitations.invite(actor=admin, email="jane@example.com")
    listing = reverse("admin:accounts_invitation_changelist")
    for action, said in (
        ("send_again", "a new link is sent"),
        ("revoke", "revoked"),
        ("send_again", "accepted or rev"),
    ):
        answer = operator.post(
            listing, {"action": action, "_selected_action": [str(made.pk)], "confirmed": "yes"}, follow=True
        )
        assert said in answer.content.decode(), action
    row = Invitation.unscoped.get()
    assert (row.serial, row.revoked_at is None) == (2, False)
    assert (
        links.invitation_token(row)
        not in operator.get(reverse("admin:accounts_invitation_change", args=[row.pk])).content.decode()
    )
    letters.not_sent(Letter.objects.latest("id"), "the server said no", final=True)
    sent = {"action": "try_now", "_selected_action": [str(Letter.objects.latest("id").pk)]}
    listing = reverse("admin:accounts_letter_changelist")
    assert "1 mails are due now" in operator.post(listing, sent, follow=True).content.decode()
    assert Letter.objects.latest("id").due_at is not None
