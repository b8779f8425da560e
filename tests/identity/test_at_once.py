"""What works once works once, also for many who try in the same moment."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from accounts import sessions
from accounts.models import Session
from identity.models import ExternalIdentity, Passkey
from tests.api.people import Api, Person
from tests.identity.authenticator import Authenticator
from tests.identity.people import AUTHENTICATE, begun, completed, registered
from tests.identity.provider import Account, Provider
from tests.identity.test_google import CALLBACK, way
from tests.identity.test_sso import BACK, SSO, came_back, set_up

pytestmark = pytest.mark.django_db(transaction=True)

MANY = 8


def at_once(acts: list[Callable[[], Any]]) -> list[Any]:
    """The answers of all of them, begun together."""
    ready, answers = threading.Barrier(len(acts)), [None] * len(acts)

    def run(index: int) -> None:
        try:
            ready.wait(10)
            answers[index] = acts[index]()
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(index,)) for index in range(len(acts))]
    for each in threads:
        each.start()
    for each in threads:
        each.join(60)
    return answers


def test_a_challenge_opens_one_login(ann: Person) -> None:
    key = registered(ann)
    before = Session.objects.count()
    asked = begun(Api(), AUTHENTICATE)
    signed = [key.sign(asked["public_key"]) for _ in range(MANY)]
    answers = at_once([lambda each=each: completed(Api(), asked, each, AUTHENTICATE) for each in signed])
    assert sorted(each.status_code for each in answers) == [200] + [400] * (MANY - 1)
    assert Session.objects.count() == before + 1


def test_an_answer_is_a_copy_where_its_count_was_there_before(ann: Person) -> None:
    key = registered(ann)
    asked = [begun(Api(), AUTHENTICATE) for _ in range(MANY)]
    signed = [key.sign(each["public_key"], count=7) for each in asked]
    acts = [
        lambda one=one, each=each: completed(Api(), one, each, AUTHENTICATE)
        for one, each in zip(asked, signed, strict=True)
    ]
    statuses = [each.status_code for each in at_once(acts)]
    assert sorted(statuses) == [200] + [401] * (MANY - 1)
    assert Passkey.objects.get().suspended_at is not None


def test_ten_passkeys_and_no_more_however_they_come(ann: Person) -> None:
    for _ in range(7):
        registered(ann)
    asked = [begun(ann.api) for _ in range(MANY)]
    acts = [
        lambda one=one: completed(Api(ann.api.token), one, Authenticator().register(one["public_key"])) for one in asked
    ]
    statuses = [each.status_code for each in at_once(acts)]
    assert sorted(statuses) == [201] * 3 + [409] * (MANY - 3)
    assert Passkey.objects.count() == 10


def test_a_state_signs_one_in(provider: Provider) -> None:
    returned = provider.consent(way(Api())["authorization_url"])
    statuses = [each.status_code for each in at_once([lambda: Api().post(CALLBACK, returned)] * MANY)]
    assert sorted(statuses) == [200] + [400] * (MANY - 1)
    assert provider.asked.count("token") == 1
    assert Session.objects.count() == 1


def test_a_newcomer_who_comes_twice_is_one(provider: Provider) -> None:
    returned = [provider.consent(way(Api())["authorization_url"]) for _ in range(MANY)]
    answers = at_once([lambda each=each: Api().post(CALLBACK, each) for each in returned])
    assert {each.status_code for each in answers} <= {200, 409}
    assert 200 in {each.status_code for each in answers}
    assert ExternalIdentity.objects.count() == 1


def test_a_login_that_opens_while_its_provider_is_taken_away_ends_with_it(
    ann: Person, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever comes first, nobody stays in whom the provider let in."""
    provider_id = set_up(ann, provider)["id"]
    account = Account(email="new@autodealer.example")
    assert came_back(Api(), provider, provider_id, account).status_code == 200
    returned = provider.consent(
        Api().get(f"/api/auth/sso/{provider_id}/authorize").json()["authorization_url"], account
    )
    opening, gone, start = threading.Event(), threading.Event(), sessions.start

    def slowly(*about: Any, **more: Any) -> Any:
        opening.set()
        gone.wait(1)  # It is not gone while the login holds it.
        return start(*about, **more)

    def taken_away() -> Any:
        opening.wait(10)
        answer = ann.api.delete(SSO)
        gone.set()
        return answer

    monkeypatch.setattr(sessions, "start", slowly)
    came, removed = at_once([lambda: Api().post(BACK, returned), taken_away])
    assert (came.status_code, removed.status_code) == (200, 204)
    assert Session.objects.filter(factors__contains="sso", revoked_at=None).count() == 0
    assert Api(came.json()["access_token"]).get("/api/auth/me").status_code == 401
