"""`/api/ai`: one question to a model, the models there are, what calls consumed, and custom models' whole life."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.utils import timezone
from pytest_httpserver import HTTPServer

from accounts import quotas
from accounts.limits import UsageQuota
from ai.models import AiUsage, CustomModel
from integrations.models import Connection
from tests.api.people import Api, Person, refusal

pytestmark = pytest.mark.django_db

PATH = "/api/ai/process"
CUSTOM = "/api/ai/custom-models"
# 000's example.
ASK: dict[str, Any] = {"model": "gpt-4", "prompt": "Summarise this call.", "max_tokens": 200, "temperature": 0.2}
WEATHER = {
    "name": "book_visit",
    "description": "Books a visit",
    "parameters": {"type": "object", "properties": {"day": {"type": "string"}}, "required": ["day"]},
}
CALLED = {"name": "book_visit", "arguments": '{"day": "Monday"}'}


@pytest.fixture(autouse=True)
def _no_list_is_remembered() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def upstream(settings: Any) -> Iterator[HTTPServer]:
    """An OpenAI-compatible server that offers gpt-4 and small-1, set up for everybody."""
    settings.EGRESS_ALLOW = ["127.0.0.1"]
    with HTTPServer(host="127.0.0.1") as running:
        settings.OPENAI_API_KEY = "sk-marker-551"
        settings.OPENAI_BASE_URL = running.url_for("/v1")
        running.expect_request("/v1/models").respond_with_json({"data": [{"id": "gpt-4"}, {"id": "small-1"}]})
        yield running


def says(server: HTTPServer, message: dict[str, Any], reason: str = "stop") -> None:
    choice = {"index": 0, "message": {"role": "assistant", "content": None, **message}, "finish_reason": reason}
    usage = {"prompt_tokens": 12, "completion_tokens": 4, "total_tokens": 16}
    body = {"id": "c", "object": "chat.completion", "created": 1, "model": "gpt-4", "choices": [choice], "usage": usage}
    server.expect_request("/v1/chat/completions", method="POST").respond_with_json(body)


def asked(server: HTTPServer) -> list[dict[str, Any]]:
    return [json.loads(request.data) for request, _ in server.log if request.path.endswith("/completions")]


def test_000s_example_is_answered_in_openais_form_and_entered_into_the_ledger(
    member: Person, upstream: HTTPServer
) -> None:
    says(upstream, {"content": "A summary."})
    body = member.api.made(PATH, {**ASK, "context": ["The caller is Jane.", "She wants a van."]})
    assert body["id"].startswith("cmpl-")
    assert abs(body["created"] - timezone.now().timestamp()) < 60
    assert {name: body[name] for name in ("object", "model", "choices", "usage", "cost_estimate")} == {
        "object": "chat.completion",
        "model": "gpt-4",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "A summary."}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 12, "completion_tokens": 4, "total_tokens": 16},
        "cost_estimate": 0.0006,
    }
    (sent,) = asked(upstream)
    assert sent == {
        "model": "gpt-4",
        "messages": [
            {"role": "system", "content": "The caller is Jane.\n\nShe wants a van."},
            {"role": "user", "content": "Summarise this call."},
        ],
        "temperature": 0.2,
        "max_tokens": 200,
    }
    entry = AiUsage.objects.of(member.actor).get()
    assert (entry.model, entry.prompt_tokens, entry.completion_tokens, entry.execution_id) == ("gpt-4", 12, 4, None)


@pytest.mark.parametrize(
    "message", [{"tool_calls": [{"id": "t", "type": "function", "function": CALLED}]}, {"function_call": CALLED}]
)
def test_a_function_that_the_model_wants_is_answered_as_000_has_it(
    member: Person, upstream: HTTPServer, message: dict[str, Any]
) -> None:
    says(upstream, message, "tool_calls")
    body = member.api.made(PATH, {**ASK, "functions": [WEATHER], "function_call": {"name": "book_visit"}})
    assert body["choices"] == [
        {
            "index": 0,
            "message": {"role": "assistant", "content": None, "function_call": CALLED},
            "finish_reason": "function_call",
        }
    ]
    (sent,) = asked(upstream)
    assert sent["tools"] == [{"type": "function", "function": WEATHER}]
    assert sent["tool_choice"] == {"type": "function", "function": {"name": "book_visit"}}


def test_a_cut_answer_says_so(member: Person, upstream: HTTPServer) -> None:
    says(upstream, {"content": "A summ"}, "length")
    assert member.api.made(PATH, ASK)["choices"][0]["finish_reason"] == "length"


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"prompt": ""}, "prompt"),
        ({"prompt": "  "}, "prompt"),
        ({"model": ""}, "model"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"temperature": 2.1}, "temperature"),
        ({"temperature": -0.1}, "temperature"),
        ({"functions": [{**WEATHER, "name": "two words"}]}, "functions.0.name"),
        (
            {"functions": [{**WEATHER, "parameters": {"type": "array", "properties": {}}}]},
            "functions.0.parameters.type",
        ),
        ({"functions": [WEATHER, WEATHER]}, "two functions"),
        ({"functions": [WEATHER], "function_call": "other"}, "function_call"),
        ({"context": "text"}, "context"),
        ({"connection_id": "018f0000-0000-7000-8000-000000000000"}, "connection_id"),
    ],
)
def test_what_does_not_fit_is_refused_and_nobody_is_asked(
    member: Person, upstream: HTTPServer, change: dict[str, Any], name: str
) -> None:
    assert name in str(refusal(member.api.post(PATH, {**ASK, **change}), 400, "VAL_001")["details"])
    assert (asked(upstream), AiUsage.unscoped.count()) == ([], 0)


def test_an_unknown_model_is_refused_with_the_names_there_are(member: Person, upstream: HTTPServer) -> None:
    error = refusal(member.api.post(PATH, {**ASK, "model": "gpt-40"}), 400, "VAL_001")
    assert error["details"]["field"] == "model"
    assert "gpt-4, offline-rules-1, small-1." in error["details"]["reason"]


@pytest.mark.parametrize(("status", "retry"), [(500, 300), (429, 7), (401, 300)])
def test_a_provider_that_does_not_answer_is_503_with_its_name(
    member: Person, upstream: HTTPServer, status: int, retry: int
) -> None:
    headers = {"retry-after": "7"} if status == 429 else {}
    upstream.expect_request("/v1/chat/completions").respond_with_json({"error": {}}, status=status, headers=headers)
    error = refusal(member.api.post(PATH, ASK), 503, "AI_001")
    assert error["details"] == {"provider": "openai-compatible", "retry_after": retry}
    assert "sk-marker-551" not in str(error)
    assert AiUsage.unscoped.count() == 0


def test_a_request_that_the_provider_refuses_is_the_clients(member: Person, upstream: HTTPServer) -> None:
    said = {"error": {"message": "maximum context length"}}
    upstream.expect_request("/v1/chat/completions").respond_with_json(said, status=400)
    assert "maximum context" in refusal(member.api.post(PATH, ASK), 400, "VAL_001")["message"]


def test_without_a_provider_the_offline_rules_answer_under_their_own_name(member: Person) -> None:
    body = member.api.made(PATH, {**ASK, "prompt": "Summarise: The van is late. The customer waits."})
    assert (body["model"], body["provider"], body["cost_estimate"]) == ("offline-rules-1", "offline", 0)
    assert "No AI model is configured" in body["choices"][0]["message"]["content"]
    refusal(member.api.post(PATH, {**ASK, "model": "llama3"}), 400, "VAL_001")
    assert AiUsage.objects.of(member.actor).get().model == "offline-rules-1"


def test_the_models_that_are_available_are_those_the_provider_offers(
    ann: Person, otto: Person, upstream: HTTPServer
) -> None:
    own = {
        "name": "Own", "type": "openai", "credentials": {"api_key": "k"},
        "config": {"base_url": upstream.url_for("/own"), "default_model": "house-7b"},
    }  # fmt: skip
    connection = ann.api.made("/api/integrations/connections", own)
    body = ann.api.get("/api/ai/models").json()
    assert body["total"] == len(body["models"])
    available = {each["id"]: each["provider"] for each in body["models"] if each["available"]}
    assert available == {
        "gpt-4": "openai", "small-1": "openai-compatible", "offline-rules-1": "offline", "house-7b": "openai",
    }  # fmt: skip
    assert "gpt-4o" in {each["id"] for each in body["models"]}
    assert "house-7b" not in {each["id"] for each in otto.api.get("/api/ai/models").json()["models"]}
    upstream.expect_request("/own/chat/completions").respond_with_json(
        {"model": "house-7b", "choices": [{"index": 0, "message": {"content": "Ours."}, "finish_reason": "stop"}]}
    )
    for naming in ({"model": "house-7b"}, {"model": "house-9b", "connection_id": connection["id"]}):
        assert ann.api.made(PATH, {**ASK, **naming})["choices"][0]["message"]["content"] == "Ours."
    refusal(otto.api.post(PATH, {**ASK, "model": "house-7b"}), 400, "VAL_001")
    refusal(otto.api.post(PATH, {**ASK, "connection_id": connection["id"]}), 400, "VAL_001")


def test_a_provider_that_is_down_offers_nothing(member: Person, settings: Any) -> None:
    settings.OPENAI_API_KEY, settings.OPENAI_BASE_URL = "k", "http://127.0.0.1:1/v1"
    settings.EGRESS_ALLOW = ["127.0.0.1"]
    models = member.api.get("/api/ai/models").json()["models"]
    assert [each["id"] for each in models if each["available"]] == ["offline-rules-1"]
    refusal(member.api.post(PATH, ASK), 503, "AI_001")


def test_a_used_up_quota_is_429_and_nobody_is_asked(member: Person, upstream: HTTPServer) -> None:
    row = UsageQuota.unscoped.create(organization_id=member.actor.organization_id, daily_ai_api_calls=1)
    quotas.limits_changed(row, {"daily_ai_api_calls"})
    says(upstream, {"content": "Yes."})
    member.api.made(PATH, ASK)
    refusal(member.api.post(PATH, ASK), 429, "AI_002")
    assert (len(asked(upstream)), AiUsage.unscoped.count()) == (1, 1)


def test_viewers_ask_nothing(viewer: Person, ann: Person) -> None:
    for method, path, body in (
        ("POST", PATH, ASK), ("GET", "/api/ai/models", {}), ("GET", "/api/ai/usage", {}), ("GET", CUSTOM, {}),
        ("POST", CUSTOM, {"model_id": "a", "version": "1", "endpoint_url": "https://m.example.com"}),
        ("POST", f"{CUSTOM}/predict", {"model_id": "a", "input": {}}), ("PUT", f"{CUSTOM}/a/versions/1", {}),
        ("DELETE", f"{CUSTOM}/a/versions/1", {}),
    ):  # fmt: skip
        refusal(viewer.api.call(method, path, body), 403, "AUTH_003")


def test_usage_is_added_up_by_day_and_model(ann: Person, member: Person, otto: Person) -> None:
    now = timezone.now()
    for person, model, days, cost in ((ann, "gpt-4", 0, "0.5"), (ann, "gpt-4", 0, "0.25"), (ann, "gpt-4", 2, "1"),
                                      (ann, "o1", 0, "2"), (ann, "o1", 40, "9"), (otto, "gpt-4", 0, "7")):  # fmt: skip
        row = AiUsage.unscoped.create(
            organization_id=person.actor.organization_id, provider="openai", model=model, prompt_tokens=10,
            completion_tokens=5, cost_usd=cost, duration_ms=1,
        )  # fmt: skip
        AiUsage.unscoped.filter(pk=row.pk).update(created_at=now - timedelta(days=days))
    body = ann.api.get("/api/ai/usage").json()
    days = [str((now - timedelta(days=each)).date()) for each in (0, 2)]
    shown = [
        (each["date"], each["model"], each["calls"], each["total_tokens"], each["cost_estimate"])
        for each in body["usage"]
    ]
    assert shown == [(days[0], "gpt-4", 2, 30, 0.75), (days[0], "o1", 1, 15, 2.0), (days[1], "gpt-4", 1, 15, 1.0)]
    assert (body["totals"]["calls"], body["totals"]["cost_estimate"]) == (4, 3.75)
    one = ann.api.get(f"/api/ai/usage?since={days[1]}&until={days[1]}").json()
    assert [each["date"] for each in one["usage"]] == [days[1]]
    refusal(ann.api.get(f"/api/ai/usage?since={days[0]}&until={days[1]}"), 400, "VAL_001")
    refusal(ann.api.get("/api/ai/usage?since=2020-01-01"), 400, "VAL_001")
    refusal(member.api.get("/api/ai/usage"), 403, "AUTH_003")


# Custom models


@pytest.fixture
def scorer(ann: Person) -> Api:
    """Two versions of one model."""
    for version in ("1.0", "1.1"):
        body = {
            "model_id": "scorer",
            "version": version,
            "endpoint_url": "https://m.example.com/s",
            "api_key": "key-marker",
        }
        ann.api.made(CUSTOM, body)
    return ann.api


def test_a_version_is_switched_off_described_and_moved(scorer: Api, otto: Person) -> None:
    path = f"{CUSTOM}/scorer/versions/1.1"
    assert (
        scorer.put(path, {"is_active": False, "description": "Old", "metadata": {"a": 1}}).json()["is_active"] is False
    )
    assert scorer.get(path).json()["description"] == "Old"
    moved = scorer.put(path, {"endpoint_url": "https://n.example.com/s"})
    assert refusal(moved, 400, "VAL_002")["details"]["field"] == "api_key"
    again = scorer.put(path, {"endpoint_url": "https://n.example.com/s", "api_key": "another", "is_active": True})
    assert (again.json()["endpoint_url"], again.json()["is_active"]) == ("https://n.example.com/s", True)
    refusal(scorer.put(path, {"endpoint_url": "https://10.0.0.1/s", "api_key": "x"}), 400, "VAL_001")
    for each in (scorer.get(path), scorer.get(CUSTOM), again):
        assert b"marker" not in each.content
        assert b"another" not in each.content
    refusal(otto.api.get(path), 404, "RES_001")
    refusal(otto.api.put(path, {"is_active": False}), 404, "RES_001")
    refusal(otto.api.delete(path), 404, "RES_001")
    refusal(scorer.get(f"{CUSTOM}/scorer/versions/9"), 404, "RES_001")


def test_a_deleted_version_takes_its_key_with_it(scorer: Api, member: Person) -> None:
    refusal(member.api.delete(f"{CUSTOM}/scorer/versions/1.1"), 403, "AUTH_003")
    assert scorer.delete(f"{CUSTOM}/scorer/versions/1.1").status_code == 204
    assert [each["version"] for each in scorer.get(CUSTOM).json()["models"]] == ["1.0"]
    assert (CustomModel.unscoped.count(), Connection.unscoped.count()) == (1, 1)


def test_the_same_registration_sent_twice_is_one_model(ann: Person) -> None:
    body = {"model_id": "m", "version": "1", "endpoint_url": "https://m.example.com"}
    first, second = (ann.api.post(CUSTOM, body, Idempotency_Key="k") for _ in range(2))
    assert (first.status_code, second.status_code, first.json()) == (201, 201, second.json())
    refusal(ann.api.post(CUSTOM, body), 409, "RES_002")
