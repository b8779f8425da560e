"""Custom models over the API: registering, asking, the ledger, and what goes to the model's server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from ai.models import AiUsage, CustomModel
from engine.ports import Inference, Rejected
from executions.gateway import ports_of
from integrations.models import Connection
from tests.api.people import Person, refusal

pytestmark = pytest.mark.django_db

PATH = "/api/ai/custom-models"
KEY = "model-marker-secret"


@pytest.fixture
def model_server(settings: Any) -> Iterator[HTTPServer]:
    settings.EGRESS_ALLOW = ["127.0.0.1"]
    with HTTPServer(host="127.0.0.1") as running:
        yield running


def register(person: Person, server: HTTPServer, **more: Any) -> dict[str, Any]:
    body = {"model_id": "lead-scorer", "version": "1.2", "endpoint_url": server.url_for("/score"), "api_key": KEY}
    return person.api.made(PATH, {**body, **more})


def test_000s_round(ann: Person, member: Person, model_server: HTTPServer) -> None:
    made = register(ann, model_server, description="Scores leads", metadata={"owner": "sales"})
    assert made == {
        "model_id": "lead-scorer",
        "version": "1.2",
        "description": "Scores leads",
        "endpoint_url": model_server.url_for("/score"),
        "is_active": True,
        "metadata": {"owner": "sales"},
        "created_at": made["created_at"],
    }
    assert member.api.get(PATH).json() == {"models": [made], "total": 1}
    model_server.expect_request("/score", method="POST").respond_with_json(
        {"output": {"score": 0.93}, "confidence_score": 0.8, "usage": {"prompt_tokens": 5, "completion_tokens": 2}}
    )
    answer = member.api.made(f"{PATH}/predict", {"model_id": "lead-scorer", "input": {"budget": 25000}})
    took = answer.pop("processing_time_ms")
    assert answer == {
        "model_id": "lead-scorer",
        "version": "1.2",
        "output": {"score": 0.93},
        "confidence_score": 0.8,
        "metadata": None,
    }
    assert took > 0
    [(request, _)] = model_server.log
    assert json.loads(request.data) == {
        "model_id": "lead-scorer", "version": "1.2", "input": {"budget": 25000}, "parameters": {},
    }  # fmt: skip
    assert request.headers["Authorization"] == f"Bearer {KEY}"
    [entry] = AiUsage.objects.of(ann.actor)
    assert (entry.provider, entry.model, entry.prompt_tokens, entry.completion_tokens, entry.execution_id) == (
        "custom-model", "lead-scorer:1.2", 5, 2, None,
    )  # fmt: skip


def test_the_key_is_never_shown(ann: Person, model_server: HTTPServer) -> None:
    register(ann, model_server)
    for path in (PATH, "/api/integrations/connections"):
        assert KEY.encode() not in ann.api.get(path).content
    assert ann.api.get("/api/integrations/connections").json()["connections"][0]["credentials"] == {
        "api_key": "********"
    }


def test_without_a_version_the_newest_active_one_answers(ann: Person, model_server: HTTPServer) -> None:
    for version in ("1.0", "2.0", "3.0"):
        register(ann, model_server, version=version)
    CustomModel.unscoped.filter(version="3.0").update(is_active=False)
    model_server.expect_request("/score").respond_with_json({"anything": [1]})
    answer = ann.api.made(f"{PATH}/predict", {"model_id": "lead-scorer", "input": {}})
    assert (answer["version"], answer["output"]) == ("2.0", {"anything": [1]})
    assert (
        ann.api.made(f"{PATH}/predict", {"model_id": "lead-scorer", "version": "1.0", "input": {}})["version"] == "1.0"
    )
    refusal(ann.api.post(f"{PATH}/predict", {"model_id": "lead-scorer", "version": "3.0", "input": {}}), 404, "RES_001")


def test_a_version_is_registered_once(ann: Person, otto: Person, model_server: HTTPServer) -> None:
    register(ann, model_server)
    body = {"model_id": "lead-scorer", "version": "1.2", "endpoint_url": model_server.url_for("/other")}
    refusal(ann.api.post(PATH, body), 409, "RES_002")
    assert (CustomModel.unscoped.count(), Connection.unscoped.count()) == (1, 1)
    register(otto, model_server)


@pytest.mark.parametrize(
    "change",
    [
        {"endpoint_url": "http://models.example.com"},
        {"endpoint_url": "https://10.0.0.1/"},
        {"endpoint_url": "ftp://models.example.com"},
        {"model_id": "a b"},
        {"version": ""},
        {"metadata": {"x": "y" * 70_000}},
    ],
)
def test_what_does_not_fit_is_refused_and_nothing_is_stored(ann: Person, change: dict[str, Any]) -> None:
    body = {"model_id": "m", "version": "1", "endpoint_url": "https://models.example.com/m", "api_key": KEY, **change}
    answer = ann.api.post(PATH, body)
    assert answer.status_code == 400
    assert next(iter(change)) in answer.text
    assert KEY not in answer.text
    assert (CustomModel.unscoped.count(), Connection.unscoped.count()) == (0, 0)


def test_who_may(ann: Person, member: Person, viewer: Person, otto: Person, model_server: HTTPServer) -> None:
    register(ann, model_server)
    body = {"model_id": "m", "version": "1", "endpoint_url": "https://models.example.com/m"}
    refusal(member.api.post(PATH, body), 403, "AUTH_003")
    refusal(viewer.api.get(PATH), 403, "AUTH_003")
    question = {"model_id": "lead-scorer", "input": {}}
    refusal(viewer.api.post(f"{PATH}/predict", question), 403, "AUTH_003")
    refusal(otto.api.post(f"{PATH}/predict", question), 404, "RES_001")
    assert otto.api.get(PATH).json()["total"] == 0
    assert model_server.log == []
    assert AiUsage.unscoped.count() == 0


@pytest.mark.parametrize(
    ("status", "body", "answered"),
    [(500, "{}", 503), (429, "{}", 503), (400, '{"error": "bad input"}', 400), (200, "[1]", 400), (200, "x", 400)],
)
def test_a_model_that_fails_is_told(
    ann: Person, model_server: HTTPServer, status: int, body: str, answered: int
) -> None:
    register(ann, model_server)
    model_server.expect_request("/score").respond_with_handler(lambda _request: Response(body, status))
    answer = ann.api.post(f"{PATH}/predict", {"model_id": "lead-scorer", "input": {}})
    assert answer.status_code == answered
    assert ("bad input" in answer.text) is (status == 400)
    assert AiUsage.unscoped.count() == 0


def test_a_deleted_connection_is_told_in_the_run(ann: Person, model_server: HTTPServer) -> None:
    register(ann, model_server)
    row = Connection.unscoped.get()
    assert ann.api.delete(f"/api/integrations/connections/{row.id}").status_code == 204
    with pytest.raises(Rejected, match="The connection of the model 'lead-scorer' was deleted"):
        ports_of(ann.actor.organization_id).models.infer(Inference("k", "lead-scorer"), timeout=5)
    assert ann.api.get(PATH).json()["models"][0]["endpoint_url"] == ""


def test_the_header_is_the_connections(ann: Person, model_server: HTTPServer) -> None:
    register(ann, model_server)
    row = Connection.unscoped.get()
    change = {"config": {**row.config, "header": "X-API-Key"}, "credentials": {"api_key": KEY}}
    assert ann.api.put(f"/api/integrations/connections/{row.id}", change).status_code == 200

    def look(request: Request) -> Response:
        return Response(
            json.dumps({"output": request.headers.get("X-API-Key") == KEY}), content_type="application/json"
        )

    model_server.expect_request("/score").respond_with_handler(look)
    assert ann.api.made(f"{PATH}/predict", {"model_id": "lead-scorer", "input": {}})["output"] == {"value": True}
