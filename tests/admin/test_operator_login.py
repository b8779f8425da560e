"""The operators' site is entered as everything else is: counted, recorded, with the second factor of whoever has one."""

from __future__ import annotations

import io
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from accounts import second_factors, totp
from accounts.models import LoginAttempt, Totp, User
from tests.accounts.authenticator import App
from tests.api.people import Api

pytestmark = pytest.mark.django_db
PAGE = "/admin/login/"


def entered(client: Client, **fields: str) -> bool:
    answer = client.post(PAGE, {"username": "root@example.com", "password": "pw", "next": "/admin/", **fields})
    assert answer.status_code in (200, 302)
    assert client.get("/admin/").status_code == (200 if answer.status_code == 302 else 302)
    return answer.status_code == 302


@pytest.fixture
def app(root: User) -> App:
    now = timezone.now()
    app = App(totp.begin(root, now=now).secret)
    app.codes = second_factors.confirm_for(root, code=app.code(now), now=now).backup_codes  # type: ignore[attr-defined]
    Totp.objects.update(last_step=0)
    return app


def test_the_page_asks_for_a_code_too(root: User) -> None:
    page = Client().get(PAGE).content.decode()
    assert 'name="code"' in page
    assert 'form="login-form"' in page


def test_a_login_that_came_from_nowhere_leads_to_the_first_page(root: User) -> None:
    answer = Client().post(PAGE, {"username": "root@example.com", "password": "pw"})
    assert (answer.status_code, answer.headers["Location"]) == (302, "/admin/")


def test_the_product_s_own_address_leads_to_its_documents(db: None) -> None:
    answer = Client().get("/")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/docs")


def test_an_operator_without_a_second_factor_needs_none(root: User) -> None:
    assert entered(Client())
    assert LoginAttempt.objects.get().outcome == "success"
    assert LoginAttempt.objects.get().dialect == "operators"


def test_an_operator_with_one_needs_it_and_a_code_counts_once(root: User, app: App) -> None:
    assert not entered(Client())
    assert not entered(Client(), code=app.wrong())
    code = app.code()
    assert entered(Client(), code=code)
    assert not entered(Client(), code=code)


def test_a_backup_code_will_do(root: User, app: Any) -> None:
    assert entered(Client(), code=app.codes[0])
    assert not entered(Client(), code=app.codes[0])


def test_every_refusal_reads_alike(root: User, app: App, db: None) -> None:
    User.objects.create_user("bob@example.com", "pw", first_name="Bob", last_name="Berg")
    pages = set()
    for fields in ({"password": "wrong"}, {"username": "nobody@example.com"}, {"code": app.wrong()}):
        answer = Client().post(PAGE, {"username": "root@example.com", "password": "pw", **fields})
        pages.add("All of them are asked for together" in answer.content.decode())
    assert pages == {True}
    assert not entered(Client(), username="bob@example.com")


def test_guesses_at_both_doors_are_counted_together(root: User) -> None:
    for each in range(5):
        assert not entered(Client(), password=f"wrong {each}")
        Api().post("/api/auth/login", {"email": "root@example.com", "password": f"wrong {each}"})
    assert not entered(Client())
    page = Client().post(PAGE, {"username": "root@example.com", "password": "pw"}).content.decode()
    assert "Too many failed logins" in page
    assert Api().post("/api/auth/login", {"email": "root@example.com", "password": "pw"}).status_code == 429


def test_an_operator_gets_an_authenticator_at_the_command_line(root: User, monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.StringIO()

    def typed(_prompt: str) -> str:
        secret = out.getvalue().split("Secret for the app: ")[1].splitlines()[0]
        return App(secret).code()

    monkeypatch.setattr("builtins.input", typed)
    call_command("operator_totp", "Root@example.com", stdout=out)
    assert totp.is_enabled(root.pk)
    assert len(out.getvalue().split("good once:\n")[1].split()) == 10
    with pytest.raises(CommandError, match="set up already"):
        call_command("operator_totp", "root@example.com", stdout=out)
    with pytest.raises(CommandError, match="no such account"):
        call_command("operator_totp", "nobody@example.com", stdout=out)
