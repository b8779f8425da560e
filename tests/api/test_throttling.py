"""Rate limits over HTTP: which buckets a request takes from, what is told, and who is told apart (cross.yaml, rate_limits)."""

from __future__ import annotations

import os
import socket
import threading
from typing import Any

import pytest
import redis
from django.db import connection

from accounts import services
from api.auterity.limits import LIMITS
from api.hosted import urls as hosted
from api.hosted.limits import PAGES
from api.throttling import AREAS, Limits, Rule, Scope
from auterity import env
from auterity.kernel import buckets
from auterity.kernel.access import Role
from tests.api.graphs import chain
from tests.api.limiting import HEADERS, from_address, told, until_refused
from tests.api.people import PASSWORD, Api, Person, colleague, founder, refusal

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]

REDIS = os.environ.get("REDIS_URL", "")
NOBODY = "018f0000-0000-7000-8000-000000000000"
WRONG = {"email": "victim@example.com", "password": "not the password"}


@pytest.mark.parametrize(
    ("method", "path", "patterns"),
    [
        ("POST", "/api/auth/login", ["/api/auth/* address", "/api/auth/* account"]),
        ("GET", "/api/auth/me", ["/api/auth/* address", "/api/auth/* account"]),
        ("POST", f"/api/workflows/{NOBODY}/execute", ["/api/workflows/*/execute organization", "/api/workflows* user"]),
        ("GET", "/api/workflows", ["/api/workflows* user"]),
        ("GET", f"/api/workflows/{NOBODY}/executions", ["/api/workflows* user"]),
        ("POST", f"/api/workflows/{NOBODY}/triggers/hook", ["/api/workflows/*/triggers/* address"]),
        ("GET", "/api/templates", ["/api/templates* user"]),
        ("POST", f"/api/templates/{NOBODY}/instantiate", ["/api/templates* user"]),
        ("POST", "/api/ai/custom-models/predict", ["/api/ai/* organization", "/api/ai/* user"]),
        ("GET", "/api/monitoring/health", ["/api/monitoring* user"]),
        ("GET", "/api/logs", ["/* user"]),
        ("GET", "/api/nowhere", ["/* user"]),
        ("GET", "/api/workflows/a/b/execute", ["/api/workflows* user"]),
        ("GET", "/api/health", []),
        ("GET", "/api/v1/health", []),
        ("GET", "/docs", []),
        ("GET", "/redoc", []),
        ("GET", "/openapi.json", []),
    ],
)
def test_the_rules_that_fit_a_path(method: str, path: str, patterns: list[str]) -> None:
    assert [f"{each.pattern} {each.scope}" for each in LIMITS.rules_for(method, path)] == patterns


def test_rates_and_bursts_are_those_of_the_contract() -> None:
    assert [(each.pattern, each.rate, each.burst, each.window) for each in LIMITS.rules if not each.otherwise] == [
        ("/api/auth/*", 10, 5, 60),
        ("/api/auth/*", 10, 5, 60),
        ("/api/workflows/*/execute", 60, 10, 60),
        ("/api/workflows*", 100, 100, 60),
        ("/api/templates*", 50, 50, 60),
        ("/api/ai/*", 30, 5, 60),
        ("/api/ai/*", 20, 20, 60),
        ("/api/monitoring*", 200, 200, 60),
        ("/api/workflows/*/triggers/*", 600, 100, 60),
    ]


def test_a_rule_may_be_for_some_methods() -> None:
    limits = Limits("x", (Rule("/a*", 1, 1, Scope.ADDRESS, methods=frozenset({"POST"})),))
    assert [len(limits.rules_for(method, "/a")) for method in ("GET", "POST")] == [0, 1]


def test_every_answer_says_what_is_left(ann: Person, anyone: Api) -> None:
    for at, path in enumerate(("/api/workflows", f"/api/workflows/{NOBODY}", "/api/workflows/x/y/z")):
        answer = ann.api.get(path)
        assert told(answer) == (100, 99 - at, 60)
    assert ann.api.call("BREW", "/api/workflows").headers["X-RateLimit-Remaining"] == "96"
    for path in ("/api/workflows", "/api/nowhere", "/ws"):
        answer = anyone.get(path)
        assert answer.status_code in (401, 404)
        assert told(answer) == (100, 98 if path == "/ws" else 99, 60)
    assert set(HEADERS) <= set(ann.api.get("/api/workflows", API_Version="never").headers)


def test_an_exempt_path_says_nothing_and_counts_nothing(anyone: Api) -> None:
    for path in ("/docs", "/redoc", "/openapi.json", "/docs/"):
        assert not set(HEADERS) & set(anyone.get(path).headers)


def test_switched_off_there_are_neither_limits_nor_headers(anyone: Api, settings: Any) -> None:
    settings.RATE_LIMITS = False
    answers = [anyone.post("/api/auth/login", WRONG) for _ in range(9)]
    assert {each.status_code for each in answers} == {401}
    assert not set(HEADERS) & set(answers[-1].headers)


def test_too_many_requests_are_refused_in_the_envelope_with_a_time_to_wait(ann: Person) -> None:
    count, answer = until_refused(lambda: ann.api.get("/api/templates"))
    assert count == 50
    error = refusal(answer, 429, "SYS_003")
    assert answer.headers["Retry-After"] == "2"
    assert error["details"] == {"retry_after": 2, "limit": 50, "window": 60}
    assert "wait 2 seconds" in error["message"]
    assert told(answer) == (50, 0, 60)
    assert answer.headers["Cache-Control"] == "no-store"
    assert refusal(ann.api.get("/api/templates", API_Version="2025-08-08"), 429, "RATE_LIMIT_EXCEEDED")
    old = ann.api.get("/api/templates", API_Version="2023-12-01")
    assert (old.status_code, set(old.json())) == (429, {"error", "code"})
    vendor = "application/vnd.auterity.v1+json"
    assert ann.api.get("/api/templates", Accept=vendor).headers["Content-Type"] == vendor
    assert ann.api.get("/api/workflows").status_code == 200


def test_a_user_has_one_bucket_from_every_address_and_login_and_others_have_their_own(
    ann: Person, otto: Person
) -> None:
    again = services.login(email=ann.email, password=PASSWORD, dialect="auterity", access_seconds=1800)
    count, _ = until_refused(lambda: from_address("203.0.113.1", ann.tokens.access_token).get("/api/templates"))
    assert count == 50
    assert from_address("203.0.113.2", again.access_token).get("/api/templates").status_code == 429
    assert otto.api.get("/api/templates").status_code == 200


def test_executing_takes_from_the_organizations_bucket_and_the_users(ann: Person, otto: Person) -> None:
    bob = colleague(ann, "bob@example.com", Role.MEMBER)
    path = f"/api/workflows/{ann.api.made('/api/workflows', chain('a'))['id']}/execute"
    assert told(ann.api.post(path, {})) == (60, 9, 60)
    assert told(bob.api.post(path, {})) == (60, 8, 60)
    assert otto.api.post(path, {}).status_code == 404
    count, answer = until_refused(lambda: bob.api.post(path, {}))
    assert count == 8
    assert refusal(answer, 429, "SYS_003")["details"]["limit"] == 60
    assert ann.api.post(path, {}).status_code == 429
    assert told(ann.api.get("/api/workflows")) == (100, 97, 60)


def test_a_refused_execution_takes_nothing_from_the_users_bucket(ann: Person) -> None:
    path = f"/api/workflows/{NOBODY}/execute"
    until_refused(lambda: ann.api.post(path, {}))
    before = told(ann.api.get("/api/workflows"))[1]
    for _ in range(5):
        assert ann.api.post(path, {}).status_code == 429
    assert told(ann.api.get("/api/workflows"))[1] == before - 1


def test_ai_counts_for_the_organization_and_the_user(ann: Person) -> None:
    count, answer = until_refused(lambda: ann.api.get("/api/ai/custom-models"))
    assert (count, told(answer)) == (5, (30, 0, 60))


def dead_url() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"redis://127.0.0.1:{probe.getsockname()[1]}/0"


def test_with_the_store_away_requests_pass_and_logins_are_still_limited(ann: Person, settings: Any) -> None:
    settings.REDIS_URL = dead_url()
    answers = [ann.api.get("/api/templates") for _ in range(60)]
    assert {each.status_code for each in answers} == {200}
    assert told(answers[-1]) == (50, 50, 60)
    count, answer = until_refused(lambda: ann.api.post("/api/auth/login", WRONG))
    assert count == 5
    refusal(answer, 429, "SYS_003")


def test_a_preflight_is_no_request(ann: Person, settings: Any) -> None:
    settings.CORS_ALLOWED_ORIGINS = ["https://app.example"]
    asked = {"Origin": "https://app.example", "Access-Control-Request-Method": "POST"}
    for _ in range(20):
        assert Api("", asked).call("OPTIONS", "/api/auth/login").status_code == 200
    _, refused = until_refused(
        lambda: from_address("203.0.113.60", Origin="https://app.example").post("/api/auth/login", WRONG)
    )
    assert refused.headers["Access-Control-Allow-Origin"] == "https://app.example"
    assert "X-RateLimit-Remaining" in refused.headers["Access-Control-Expose-Headers"]


def test_a_trigger_is_limited_by_address(anyone: Api) -> None:
    answer = from_address("203.0.113.70").post(f"/api/workflows/{NOBODY}/triggers/hook", {})
    assert (answer.status_code, told(answer)) == (404, (600, 99, 60))


def test_every_hosted_page_is_limited() -> None:
    pages = [f"/{each.pattern}" for each in hosted.urlpatterns]
    assert len(pages) >= 5
    assert [each for each in pages if AREAS.of_path(each) is not PAGES] == []


@pytest.mark.parametrize("path", ["/answer/nothing", f"/forms/{NOBODY}/start"])
def test_hosted_pages_are_limited_by_address_in_words_for_people(path: str) -> None:
    here = from_address("203.0.113.80")
    count, page = until_refused(lambda: here.call("POST", path, raw=b"", media="application/x-www-form-urlencoded"))
    assert count == 15
    assert page.headers["Content-Type"].startswith("text/html")
    assert "Nothing is lost" in page.content.decode()
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert int(page.headers["Retry-After"]) >= 1
    assert here.get(path).status_code == 404
    assert from_address("203.0.113.81").get(path).status_code == 404


def test_guessing_an_operators_password_is_limited() -> None:
    media = "application/x-www-form-urlencoded"
    guess = b"username=root@example.com&password=guess"
    here = from_address("203.0.113.90")
    count, page = until_refused(lambda: here.call("POST", "/admin/login/", raw=guess, media=media))
    assert count == 5
    assert page.headers["Content-Type"].startswith("text/html")
    assert here.get("/admin/login/").status_code == 200
    elsewhere = from_address("203.0.113.91").call("POST", "/admin/login/", raw=guess, media=media)
    assert elsewhere.status_code == 429


def test_a_refusal_asks_the_database_nothing(ann: Person, django_assert_num_queries: Any) -> None:
    until_refused(lambda: ann.api.get("/api/templates"))
    with django_assert_num_queries(0):
        assert ann.api.get("/api/templates").status_code == 429


@pytest.mark.django_db(transaction=True)
def test_of_fifty_at_once_exactly_the_burst_pass() -> None:
    person = founder("crowd@example.com", None)
    start, seen = threading.Barrier(50), []

    def ask() -> None:
        start.wait()
        try:
            seen.append(Api(person.tokens.access_token).get("/api/ai/custom-models").status_code)
        finally:
            connection.close()

    threads = [threading.Thread(target=ask) for _ in range(50)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert (len(seen), seen.count(429)) == (50, 45)
    assert set(seen) <= {200, 429}


def test_bucket_keys_tell_nobodys_address_or_account(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[buckets.Bucket] = []
    real = buckets.take
    monkeypatch.setattr(buckets, "take", lambda wanted: (taken.extend(wanted), real(wanted))[1])
    from_address("203.0.113.95").post("/api/auth/login", WRONG)
    assert len(taken) == 2
    assert all("203.0.113" not in each.key and "victim" not in each.key for each in taken)
    assert all(len(each.key) < 100 and each.guards for each in taken)


@pytest.mark.skipif(not REDIS, reason="needs Redis: set REDIS_URL")
def test_with_redis_the_buckets_are_there(ann: Person) -> None:
    buckets._STORES.clear()
    limit, remaining, _window = told(ann.api.get("/api/monitoring/health"))
    assert (limit, remaining < 200) == (200, True)
    with redis.Redis.from_url(REDIS) as client:
        assert client.exists(f"aut:rate:auterity:/api/monitoring*:user:{ann.actor.user_id}")


@pytest.mark.parametrize(
    ("said", "on"), [("off", False), ("0", False), ("on", True), ("", True), ("yes", True), (None, True)]
)
def test_limits_are_on_unless_the_environment_says_off(
    monkeypatch: pytest.MonkeyPatch, said: str | None, on: bool
) -> None:
    monkeypatch.delenv("AUTERITY_RATE_LIMITS", raising=False)
    if said is not None:
        monkeypatch.setenv("AUTERITY_RATE_LIMITS", said)
    assert env.read().rate_limits is on
