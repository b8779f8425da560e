"""A webhook's secret is written and replaced, and no answer holds it."""

from __future__ import annotations

import pytest

from tests.api.auterity.hooks import SECRET, graph, make, post
from tests.api.people import Api, refusal
from workflows.models import WorkflowVersion

pytestmark = pytest.mark.django_db


def test_no_answer_holds_the_secret_and_the_mask_sent_back_keeps_it(api: Api) -> None:
    made = api.post("/api/workflows", {"name": "Lead in", "definition": graph(authentication="token", secret=SECRET)})
    address = f"/api/workflows/{made.json()['id']}"
    read = api.get(address)
    node = read.json()["nodes"][0]
    assert node["config"]["secret"] == node["data"]["secret"] == "********"
    echoed = {"nodes": read.json()["nodes"], "edges": read.json()["edges"]}
    renamed = [{**each, "title": "New", "data": {**each["data"], "label": "New"}} for each in echoed["nodes"]]
    answers = [
        made, read, api.get("/api/workflows"), api.get(f"{address}/versions"), api.get(f"{address}/versions/1"),
        api.post(f"{address}/validate"),
        api.post("/api/workflows/validate", {"definition": graph(secret=SECRET, respond=SECRET)}),
        api.put(address, {"definition": echoed}), api.put(address, {"nodes": renamed, "edges": echoed["edges"]}),
        api.post(f"{address}/versions/1/restore"), api.post(f"{address}/deactivate"), api.post(f"{address}/activate"),
        api.post(f"{address}/execute", {"inputs": {"lead_id": 1}}),
    ]  # fmt: skip
    assert [each.status_code for each in answers if each.status_code >= 400] == []
    assert [each.content for each in answers if SECRET.encode() in each.content] == []
    path = f"{address}/triggers/hook"
    refusal(post(path, X_Webhook_Token="********"), 401, "AUTH_001")
    assert post(path, X_Webhook_Token=SECRET).status_code == 202


def test_a_new_secret_replaces_the_old_and_an_empty_one_closes_the_door(api: Api) -> None:
    path = make(api, authentication="token", secret=SECRET)
    address = "/".join(path.split("/")[:4])
    api.put(address, {"definition": graph(authentication="token", secret="another")})
    refusal(post(path, X_Webhook_Token=SECRET), 401, "AUTH_001")
    assert post(path, X_Webhook_Token="another").status_code == 202
    api.put(address, {"definition": graph(authentication="token", secret="")})
    refusal(post(path, X_Webhook_Token=""), 401, "AUTH_001")


def test_a_secret_does_not_turn_into_a_setting_that_is_shown(api: Api) -> None:
    path = make(api, authentication="token", secret=SECRET)
    address = "/".join(path.split("/")[:4])
    other = graph(secret="********")
    other["nodes"][0]["type"] = "start"
    moved = graph(authentication="token", secret="********")
    moved["nodes"][0]["id"], moved["edges"] = "hook2", []
    for definition in (other, {**other, "nodes": [{"id": "hook", "type": "start"}], "edges": []}, moved):
        assert SECRET.encode() not in api.put(address, {"definition": definition, "is_active": False}).content
        assert SECRET.encode() not in api.get(address).content
    stored = WorkflowVersion.unscoped.order_by("-number").first()
    assert stored is not None
    assert "secret" not in stored.definition["nodes"][0]["config"]
