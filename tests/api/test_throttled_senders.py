"""Whose buckets a request takes from: the address it came from, the account it names, and whom a proxy speaks for."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import RequestFactory

from accounts import services
from accounts.models import Session
from api import tokens as bearers
from api.middleware import client_address
from api.throttling import UNREADABLE, Limits, _named
from tests.api.limiting import Clock, from_address, told, until_refused
from tests.api.people import PASSWORD, Api, Person, refusal

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]

WRONG = {"email": "victim@example.com", "password": "not the password"}


def test_logins_count_by_address(anyone: Api) -> None:
    at = iter(range(1000))
    here = from_address("203.0.113.7")
    count, answer = until_refused(lambda: here.post("/api/auth/login", {**WRONG, "email": f"a{next(at)}@example.com"}))
    assert count == 5
    refusal(answer, 429, "SYS_003")
    assert 1 <= int(answer.headers["Retry-After"]) <= 6
    assert from_address("203.0.113.8").post("/api/auth/login", WRONG).status_code == 401


@pytest.mark.parametrize(
    "spelled", ["victim@example.com", " VICTIM@Example.com ", "ｖictim@example.com", f"{' ' * 400}victim@example.com"]
)
def test_logins_count_by_account_whatever_the_address_and_the_spelling(anyone: Api, spelled: str, ann: Person) -> None:
    for at in range(5):
        assert from_address(f"198.51.100.{at}").post("/api/auth/login", WRONG).status_code == 401
    tried = {**WRONG, "email": spelled}
    assert from_address("198.51.100.9").post("/api/auth/login", tried).status_code == 429
    assert from_address("198.51.100.9", ann.tokens.access_token).post("/api/auth/login", tried).status_code == 429
    other = {**WRONG, "email": "somebody@example.com"}
    assert from_address("198.51.100.9").post("/api/auth/login", other).status_code == 401


def test_a_body_padded_out_does_not_hide_the_account(anyone: Api) -> None:
    padded = {**WRONG, "padding": "x" * 70_000}
    for at in range(5):
        assert from_address(f"198.51.100.{at}").post("/api/auth/login", padded).status_code == 401
    assert from_address("198.51.100.9").post("/api/auth/login", padded).status_code == 429


def test_an_attack_on_an_account_locks_it_for_no_longer_than_one_token_takes(ann: Person, clock: Clock) -> None:
    tried = {"email": ann.email, "password": "wrong"}
    for at in range(40):
        answer = from_address(f"198.51.100.{at}").post("/api/auth/login", tried)
    assert answer.status_code == 429
    assert answer.headers["Retry-After"] == "6"
    clock.pass_by(6)
    good = {"email": ann.email, "password": PASSWORD}
    assert from_address("203.0.113.5").post("/api/auth/login", good).status_code == 200


def test_whoever_is_not_known_counts_by_address(anyone: Api) -> None:
    here = from_address("203.0.113.20")
    count, _ = until_refused(lambda: here.get("/api/templates"))
    assert count == 50
    forged = from_address("203.0.113.20", "garbage")
    assert forged.get("/api/templates").status_code == 429
    assert from_address("203.0.113.21").get("/api/templates").status_code == 401


def test_a_token_of_an_ended_login_uses_up_its_senders_bucket_not_the_users(ann: Person) -> None:
    again = services.login(email=ann.email, password=PASSWORD, dialect="auterity", access_seconds=1800)
    services.logout(actor=again.actor)
    thief = from_address("203.0.113.30", again.access_token)
    until_refused(lambda: thief.get("/api/templates"))
    assert told(ann.api.get("/api/templates"))[1] >= 47
    bearers._ENDED.clear()


def test_the_subscribers_whole_network_is_one_address_in_ipv6() -> None:
    for at in range(50):
        assert from_address(f"2001:db8:1:2:{at:x}::1").get("/api/templates").status_code == 401
    assert from_address("2001:db8:1:2:ffff::1").get("/api/templates").status_code == 429
    assert from_address("2001:db8:1:3::1").get("/api/templates").status_code == 401


def test_an_ipv4_address_is_one_however_it_is_written() -> None:
    for _ in range(50):
        from_address("203.0.113.40").get("/api/templates")
    assert from_address("::ffff:203.0.113.40").get("/api/templates").status_code == 429


@pytest.mark.parametrize(
    ("proxies", "forwarded", "seen"),
    [
        (0, "1.2.3.4", "10.0.0.1"),
        (0, "", "10.0.0.1"),
        (1, "", "10.0.0.1"),
        (1, "1.2.3.4", "1.2.3.4"),
        (1, "6.6.6.6, 1.2.3.4", "1.2.3.4"),
        (2, "6.6.6.6, 1.2.3.4, 10.0.0.9", "1.2.3.4"),
        (2, "1.2.3.4", "1.2.3.4"),
        (1, "1.2.3.4:5678", "1.2.3.4"),
        (1, "[2001:db8::1]:443", "2001:db8::1"),
        (1, "2001:db8::1", "2001:db8::1"),
        (1, "unknown", "10.0.0.1"),
        (1, "1.2.3.4; drop", "10.0.0.1"),
        (1, ",,", "10.0.0.1"),
    ],
)
def test_forwarded_addresses_are_believed_behind_trusted_proxies_only(
    settings: Any, proxies: int, forwarded: str, seen: str
) -> None:
    settings.TRUSTED_PROXIES = proxies
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    assert client_address(RequestFactory().get("/", headers=headers, REMOTE_ADDR="10.0.0.1")) == seen


def test_a_login_remembers_the_clients_address(ann: Person) -> None:
    made = from_address("203.0.113.50").post("/api/auth/login", {"email": ann.email, "password": PASSWORD})
    assert made.status_code == 200
    assert Session.objects.filter(address="203.0.113.50").count() == 1


def test_what_a_body_names_is_found_in_forms_and_json() -> None:
    limits, make = Limits(accounts=("username", "email")), RequestFactory()
    form = make.post("/", {"username": "A@b.c", "email": "other@b.c"})
    assert _named(limits, form) == ["a@b.c", "other@b.c"]
    for raw, named in (
        (b'{"username": "A@b.c"}', ["a@b.c"]),
        (b'{"username": 1}', []),
        (b"[]", []),
        (b"{", []),
        (b"", []),
        (b'{"username": "' + b"x" * 70_000 + b'"}', [UNREADABLE]),
    ):
        assert _named(limits, make.generic("POST", "/", raw, content_type="application/json")) == named
