"""Callers who wait for the end of a run wait on the server's event loop: none of its few threads is held."""

from __future__ import annotations

import http.client
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import orjson
import pytest
from django.conf import settings as product

from executions.models import OpenQuestion
from tests.api.people import Person
from tests.api.serving import Server
from tests.executions.support import until

pytestmark = pytest.mark.django_db(transaction=True)

WAITS = {
    "name": "Waits",
    "definition": {
        "nodes": [
            {"id": "begin", "type": "start", "title": "Begin", "config": {}},
            {"id": "hold", "type": "wait-for-event", "title": "Hold", "config": {"event": "go"}},
        ],
        "edges": [{"id": "e", "source_node_id": "begin", "target_node_id": "hold"}],
    },
}


def post(server: Server, path: str, body: Any, **headers: str) -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    connection.request("POST", path, orjson.dumps(body), {"Content-Type": "application/json", **headers})
    answer = connection.getresponse()
    told = orjson.loads(answer.read())
    connection.close()
    return answer.status, told


def test_more_callers_wait_than_the_server_has_threads_and_others_are_served_meanwhile(
    server: Server, ann: Person, worker: None, settings: Any
) -> None:
    settings.ENGINE = {**settings.ENGINE, "sync_wait_seconds": 60.0}
    many = product.WEB_THREADS + 8
    bearer = {"Authorization": f"Bearer {ann.tokens.access_token}"}
    workflow = ann.api.made("/api/workflows", WAITS)
    execute = f"/api/workflows/{workflow['id']}/execute"
    with ThreadPoolExecutor(many) as callers:
        waiting = [callers.submit(post, server, execute, {"execution_mode": "sync"}, **bearer) for _ in range(many)]
        until(lambda: OpenQuestion.unscoped.filter(closed_at=None).count() == many, seconds=60, what="all runs to wait")
        assert not any(each.done() for each in waiting)
        status, told = post(server, "/api/events", {"event": "go", "data": {"n": 1}}, **bearer)
        assert status in (200, 202), told
        answers = [each.result(timeout=60) for each in waiting]
    assert [(status, body["status"]) for status, body in answers] == [(200, "completed")] * many
    assert len({body["id"] for _, body in answers}) == many


def test_a_caller_waits_no_longer_than_is_allowed(server: Server, ann: Person, settings: Any) -> None:
    settings.ENGINE = {**settings.ENGINE, "sync_wait_seconds": 0.2}
    workflow = ann.api.made("/api/workflows", WAITS)
    bearer = {"Authorization": f"Bearer {ann.tokens.access_token}"}
    status, body = post(server, f"/api/workflows/{workflow['id']}/execute", {"execution_mode": "sync"}, **bearer)
    assert (status, body["status"]) == (202, "pending")
