"""Usage quotas over HTTP: what is refused, what is shown, and that many at once never get more than the limit."""

from __future__ import annotations

import datetime as dt
import http.client
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import orjson
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_httpserver import HTTPServer

from accounts import quotas, usage
from accounts.limits import QuotaWarning, UsageDay, UsageQuota, UsageTally
from ai.models import AiUsage
from auterity.kernel.models import uuid7
from executions import retention
from executions.models import Execution, ExecutionStep
from executions.usage import accepted
from tests.api.graphs import chain
from tests.api.people import Api, Person, refusal
from tests.api.serving import Server
from tests.api.shapes import wrong
from tests.artefacts.uploads import send

pytestmark = pytest.mark.django_db
live = pytest.mark.django_db(transaction=True)

QUOTA = "/api/usage/quota"
WORKFLOWS = "/api/workflows"
COUNTS = {
    "workflow_executions": "integer", "ai_api_calls": "integer", "ai_tokens": "integer", "storage_mb": "number",
    "collaborators": "integer",
}  # fmt: skip
NO_LIMIT = 2**53 - 1  # 000: a limit is a number, which clients compare what was used with
PREDICT = "/api/ai/custom-models/predict"


def limit(person: Person, **limits: int | None) -> None:
    """As an operator does it."""
    row, _ = UsageQuota.unscoped.get_or_create(organization_id=person.actor.organization_id)
    for name, value in limits.items():
        setattr(row, name, value)
    row.save()
    quotas.limits_changed(row, set(limits))


def used(person: Person, name: str, period: str = "daily") -> Any:
    return person.api.get(f"{QUOTA}?period={period}").json()["current_usage"][name]


@pytest.fixture
def execute(ann: Person) -> str:
    return f"{WORKFLOWS}/{ann.api.made(WORKFLOWS, chain('a'))['id']}/execute"


@pytest.fixture
def model(ann: Person, settings: Any) -> Any:
    settings.EGRESS_ALLOW = ["127.0.0.1"]
    with HTTPServer(host="127.0.0.1") as running:
        body = {"model_id": "scorer", "version": "1", "endpoint_url": running.url_for("/score")}
        ann.api.made("/api/ai/custom-models", body)
        running.expect_request("/score", method="POST").respond_with_json(
            {"output": {"score": 1}, "usage": {"prompt_tokens": 30, "completion_tokens": 12}}
        )
        yield running


# -- what is shown ---------------------------------------------------------------------------------------------------


def test_without_limits_everything_is_shown_and_nothing_is_bounded(ann: Person, viewer: Person, execute: str) -> None:
    for _ in range(3):
        ann.api.made(execute, {})
    body = viewer.api.get(QUOTA).json()
    shape = {
        "organization_id": "uuid",
        "period": "string",
        "limits": COUNTS,
        "current_usage": COUNTS,
        "reset_date": "datetime",
    }
    assert wrong(body, shape) == []
    assert body["limits"] == dict.fromkeys(COUNTS, NO_LIMIT)
    assert body["period"] == "monthly"
    assert body["current_usage"] == {
        "workflow_executions": 3, "ai_api_calls": 0, "ai_tokens": 0, "storage_mb": 0, "collaborators": 2,
    }  # fmt: skip
    refusal(ann.api.get(f"{QUOTA}?period=weekly"), 400, "VAL_001")
    assert ann.api.get(f"{QUOTA}?period=weekly", API_Version="2025-08-08").status_code == 422
    assert ann.api.put(QUOTA, {}).status_code == 405


def test_each_period_has_its_limits_and_its_reset(ann: Person) -> None:
    limit(ann, daily_workflow_executions=5, yearly_ai_tokens=1000, storage_mb=10, collaborators=4)
    today = dt.datetime.now(dt.UTC).date()
    daily = ann.api.get(f"{QUOTA}?period=daily").json()
    assert daily["limits"] == {
        "workflow_executions": 5, "ai_api_calls": NO_LIMIT, "ai_tokens": NO_LIMIT, "storage_mb": 10, "collaborators": 4,
    }  # fmt: skip
    assert daily["reset_date"] == f"{today + dt.timedelta(days=1)}T00:00:00Z"
    yearly = ann.api.get(f"{QUOTA}?period=yearly").json()
    assert (yearly["limits"]["ai_tokens"], yearly["limits"]["workflow_executions"]) == (1000, NO_LIMIT)
    assert yearly["reset_date"] == f"{today.year + 1}-01-01T00:00:00Z"


# -- executions ------------------------------------------------------------------------------------------------------


def test_a_used_up_quota_says_when_it_begins_anew(ann: Person, execute: str) -> None:
    limit(ann, daily_workflow_executions=2)
    for _ in range(2):
        ann.api.made(execute, {})
    answer = ann.api.post(execute, {})
    error = refusal(answer, 429, "SYS_003")
    tomorrow = dt.datetime.now(dt.UTC).date() + dt.timedelta(days=1)
    assert error["details"]["reset_date"] == f"{tomorrow}T00:00:00Z"
    assert (error["details"]["counter"], error["details"]["period"]) == ("workflow_executions", "daily")
    assert (error["details"]["limit"], error["details"]["used"]) == (2, 2)
    assert 1 <= int(answer.headers["Retry-After"]) == error["details"]["retry_after"] <= 24 * 3600
    assert Execution.unscoped.count() == 2
    limit(ann, daily_workflow_executions=3)
    assert ann.api.post(execute, {}).status_code == 202
    assert used(ann, "workflow_executions") == 3


def test_one_organizations_limit_is_nobody_elses(ann: Person, otto: Person, execute: str) -> None:
    limit(ann, daily_workflow_executions=0)
    refusal(ann.api.post(execute, {}), 429, "SYS_003")
    elsewhere = f"{WORKFLOWS}/{otto.api.made(WORKFLOWS, chain('a'))['id']}/execute"
    assert otto.api.post(elsewhere, {}).status_code == 202
    assert otto.api.get(QUOTA).json()["limits"]["workflow_executions"] == NO_LIMIT


def test_a_repeat_of_a_key_counts_once_and_a_refused_start_not_at_all(ann: Person, execute: str) -> None:
    limit(ann, daily_workflow_executions=3)
    first = ann.api.made(execute, {"inputs": {"a": 1}}, Idempotency_Key="k")
    for _ in range(5):
        assert ann.api.made(execute, {"inputs": {"a": 1}}, Idempotency_Key="k") == first
    assert used(ann, "workflow_executions") == 1
    refusal(ann.api.post(execute, {"inputs": {"a": 1}, "webhook_url": "ftp://x"}), 400, "VAL_001")
    refusal(ann.api.post(execute, {"inputs": {"a": 2}}, Idempotency_Key="k"), 409, "RES_002")
    assert used(ann, "workflow_executions") == 1


def test_a_start_that_fails_after_it_was_counted_gives_it_back(ann: Person, execute: str, monkeypatch: Any) -> None:
    limit(ann, daily_workflow_executions=3)

    def broken(*_about: Any) -> None:
        raise RuntimeError("the disk is gone")

    with monkeypatch.context() as breaking:
        breaking.setattr("executions.services.insert", broken)
        refusal(ann.api.post(execute, {}), 500, "SYS_001")
    assert used(ann, "workflow_executions") == 0
    ann.api.made(execute, {})
    assert used(ann, "workflow_executions") == 1


def test_without_a_limit_accepting_writes_no_row_that_others_write_too(ann: Person, execute: str) -> None:
    def written() -> list[str]:
        with CaptureQueriesContext(connection) as captured:
            ann.api.made(execute, {})
        return [each["sql"].split("(")[0].strip()[:60] for each in captured if not each["sql"].startswith("SELECT")]

    written()
    free = written()
    assert not [each for each in free if "usage" in each.lower()]
    assert UsageTally.unscoped.count() == 0
    limit(ann, daily_workflow_executions=100)
    written()
    bounded = written()
    assert len(bounded) == len(free) + 1
    assert [each for each in bounded if "usage" in each] == [
        "UPDATE usage_tallies SET used = used + 1 WHERE organization_"
    ]


@live
def test_of_fifty_calls_at_once_ten_are_accepted(ann: Person, execute: str, server: Server) -> None:
    limit(ann, daily_workflow_executions=10)

    def call(number: int) -> int:
        client = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        headers = {"Authorization": f"Bearer {ann.tokens.access_token}", "Content-Type": "application/json"}
        client.request("POST", execute, orjson.dumps({"inputs": {"n": number}}), headers)
        answer = client.getresponse()
        answer.read()
        client.close()
        return answer.status

    with ThreadPoolExecutor(50) as threads:
        statuses = Counter(threads.map(call, range(50)))
    assert statuses == {202: 10, 429: 40}
    assert Execution.unscoped.count() == 10
    assert used(ann, "workflow_executions") == 10
    warned = QuotaWarning.objects.of(ann.actor).order_by("percent")
    assert list(warned.values_list("percent", "used")) == [(80, 8), (100, 10)]


@live
def test_the_next_day_is_a_new_count(ann: Person, execute: str, monkeypatch: Any) -> None:
    limit(ann, daily_workflow_executions=1)
    ann.api.made(execute, {})
    refusal(ann.api.post(execute, {}), 429, "SYS_003")
    tomorrow = timezone.now() + dt.timedelta(days=1)

    class Clock:
        now = staticmethod(lambda: tomorrow)

    with monkeypatch.context() as moved:
        moved.setattr(quotas, "timezone", Clock)
        assert ann.api.post(execute, {}).status_code == 202
        refusal(ann.api.post(execute, {}), 429, "SYS_003")
    refusal(ann.api.post(execute, {}), 429, "SYS_003")


def test_runs_are_added_up_by_the_sweep_and_stay_counted_when_they_are_forgotten(ann: Person, execute: str) -> None:
    for _ in range(4):
        ann.api.made(execute, {})
    organization = ann.actor.organization_id
    later = timezone.now() + dt.timedelta(minutes=10)
    child = Execution.unscoped.order_by("id").first()
    assert child is not None
    parent, child.id, child.parent_id, child.parent_node = child.id, uuid7(), child.id, "map#1"
    child.save(force_insert=True)
    assert accepted(organization, later - dt.timedelta(days=1), None) == 4
    retention.sweep(now=later)
    (day,) = UsageDay.objects.of(organization).filter(counter="workflow_executions")
    assert day.amount == 4
    Execution.unscoped.filter(pk__in=[child.id, parent]).delete()
    assert used(ann, "workflow_executions") == 4
    assert usage.add_up(organization, now=later) == 0


# -- AI --------------------------------------------------------------------------------------------------------------


def test_ai_calls_and_tokens_are_held_back_and_settled(ann: Person, model: HTTPServer) -> None:
    limit(ann, daily_ai_api_calls=2, monthly_ai_tokens=100)
    ask = {"model_id": "scorer", "input": {"budget": 25000}}
    assert ann.api.post(PREDICT, ask).status_code == 200
    assert (used(ann, "ai_api_calls"), used(ann, "ai_tokens", "monthly")) == (1, 42)
    assert set(UsageTally.objects.of(ann.actor).values_list("reserved", flat=True)) == {0}
    assert ann.api.post(PREDICT, ask).status_code == 200
    answer = ann.api.post(PREDICT, ask)
    error = refusal(answer, 429, "AI_002")
    assert error["details"]["counter"] == "ai_api_calls"
    assert int(answer.headers["Retry-After"]) == error["details"]["retry_after"]
    assert answer.json()["error"]["message"].startswith("Your organization may use 2 AI calls a day")
    assert len(model.log) == AiUsage.objects.of(ann.actor).count() == 2
    refusal(ann.api.post(PREDICT, {**ask, "input": {"text": "x" * 4000}}), 429, "AI_002")


def test_a_call_that_failed_uses_nothing_up(ann: Person, model: HTTPServer) -> None:
    limit(ann, daily_ai_api_calls=1)
    ask = {"model_id": "scorer", "input": {}}
    model.clear()
    model.expect_request("/score").respond_with_data("no", status=422)
    assert ann.api.post(PREDICT, ask).status_code == 400
    assert used(ann, "ai_api_calls") == 0
    assert ann.api.post(PREDICT, ask).status_code == 400


@live
def test_a_step_fails_with_the_quotas_sentence(ann: Person, worker: None, ended: Callable[..., dict[str, Any]]) -> None:
    graph = {
        "name": "Ask",
        "nodes": [
            {"id": "start", "type": "start"},
            {"id": "ask", "type": "ai-text-processing", "config": {"prompt": "Say hello to {{ inputs.who }}."}},
        ],
        "edges": [{"id": "e", "source": "start", "target": "ask"}],
    }
    execute = f"{WORKFLOWS}/{ann.api.made(WORKFLOWS, graph)['id']}/execute"
    limit(ann, daily_ai_api_calls=1)
    first = ended(ann.api, ann.api.made(execute, {"inputs": {"who": "Jane"}})["execution_id"])
    assert first["status"] == "completed", first
    second = ended(ann.api, ann.api.made(execute, {"inputs": {"who": "Joe"}})["execution_id"])
    assert second["status"] == "failed"
    assert "Your organization may use 1 AI calls a day; 1 are used or reserved." in second["error_message"]
    step = ExecutionStep.objects.get(execution_id=second["id"], node_id="ask")
    assert (
        step.error_code == "unavailable"
    )  # So a retry policy that waits long enough goes on when the count begins anew.
    assert used(ann, "ai_api_calls") == 1


# -- levels ----------------------------------------------------------------------------------------------------------


def test_files_over_the_limit_are_refused(ann: Person) -> None:
    megabyte = b"a,b\n" + b"1,2\n" * (1024 * 256 - 1)
    limit(ann, storage_mb=2)
    assert send(ann.api, "one.csv", megabyte, "text/csv").status_code == 201
    assert used(ann, "storage_mb") == 1.0
    second = send(ann.api, "two.csv", megabyte, "text/csv")
    assert (second.status_code, used(ann, "storage_mb")) == (201, 2.0)
    error = refusal(send(ann.api, "three.csv", b"a,b\n1,2\n", "text/csv"), 429, "SYS_003")
    assert (error["details"]["counter"], error["details"]["reset_date"]) == ("storage_mb", None)
    assert ann.api.delete(f"/api/files/{second.json()['id']}").status_code == 204
    assert send(ann.api, "three.csv", b"a,b\n1,2\n", "text/csv").status_code == 201
    assert QuotaWarning.objects.of(ann.actor).filter(counter="storage_mb").count() == 2


def test_collaborators_over_the_limit_are_refused(ann: Person) -> None:
    limit(ann, collaborators=2)
    ann.api.made("/api/organizations/current/invitations", {"email": "jane@example.com"})
    assert used(ann, "collaborators") == 2
    refusal(ann.api.post("/api/organizations/current/invitations", {"email": "joe@example.com"}), 429, "SYS_003")
    person = {"email": "joe@example.com", "password": "correct horse 9", "first_name": "J", "last_name": "B"}
    refusal(ann.api.post("/api/organizations/current/members", person), 429, "SYS_003")
    assert Api().post("/api/auth/register", person).status_code == 201  # An organization of their own.
