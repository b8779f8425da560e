"""Running again with a plan, the ledger of effects, and explanations, as clients see them."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection

from engine.node import Done, Effect, Outcome
from engine.ports import Rejected, Unknown
from executions.models import Execution, ExecutionStep
from tests.api.people import Api, Person, refusal
from tests.api.shapes import ACCEPTED, wrong
from tests.executions.support import registered

pytestmark = pytest.mark.django_db(transaction=True)

RUNS = "/api/workflows/executions"
PLANNED = {
    "node_id": "string",
    "node_name": "string",
    "node_type": "string",
    "action": "enum(run|keep|skip_unknown)",
    "reason": "string",
    "effect": "enum(none|repeats|first_time)",
    "effect_id": "integer|null",
    "effect_state": "string",
    "receipt": "string",
    "what": "string",
    "last_output_preview": "string|null",
    "cost_usd": "number",
}
PLAN = {
    "plan_version": "string",
    "execution_id": "uuid",
    "mode": "enum(whole|failed|from)",
    "workflow_version": "integer",
    "steps": [PLANNED],
    "effects_repeated": [PLANNED],
    "unknown_effects": [PLANNED],
    "kept_cost_usd": "number",
    "estimated_cost_usd": "number",
    "warnings": ["string"],
}
EFFECT = {
    "id": "integer",
    "key": "string",
    "execution_id": "uuid",
    "node_id": "string",
    "node_name": "string",
    "node_type": "string",
    "what": "string",
    "state": "string",
    "attempts": "integer",
    "receipt": "string",
    "first_at": "datetime",
    "last_at": "datetime",
    "kept_from": "uuid|null",
    "question_id": "uuid|null",
    "settled_by": "string|null",
    "settled_at": "datetime|null",
    "note": "string|null",
}
EXPLANATION = {
    "execution_id": "uuid",
    "status": "string",
    "summary": "string",
    "reasons": [
        {
            "kind": "string",
            "sentence": "string",
            "node_id": "string|null",
            "since": "datetime|null",
            "until": "datetime|null",
            "details": "object",
            "mend": "string|null",
        }
    ],
}


class Other:
    """The other side: it refuses, falls silent, or does what it is asked."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.error: Exception | None = None

    def __call__(self, config: Any, step: Any) -> Outcome:
        self.keys.append(step.key)
        if self.error is not None:
            raise self.error
        return Done({"ok": True}, receipt="r-1")


@pytest.fixture
def other() -> Any:
    made = Other()
    with registered("call", made, effect=Effect.KEYED):
        yield made


@pytest.fixture
def execute(ann: Person, other: Other) -> str:
    nodes = [{"id": "start", "type": "start"}, {"id": "call", "type": "call"}, {"id": "end", "type": "call"}]
    edges = [{"id": "e1", "source": "start", "target": "call"}, {"id": "e2", "source": "call", "target": "end"}]
    made = ann.api.made("/api/workflows", {"name": "Orders", "definition": {"nodes": nodes, "edges": edges}})
    return f"/api/workflows/{made['id']}/execute"


@pytest.fixture
def failed(
    api: Api, execute: str, other: Other, worker: None, ended: Callable[..., dict[str, Any]]
) -> Callable[..., str]:
    def failed(error: Exception) -> str:
        other.error = error
        found = ended(api, api.made(execute, {"inputs": {"n": 1}})["execution_id"])
        assert found["status"] == "failed"
        other.error = None
        other.keys.clear()
        identity: str = found["id"]
        return identity

    return failed


def test_a_plan_is_made_looked_at_and_carried_out(
    api: Api, failed: Callable[..., str], other: Other, ended: Callable[..., dict[str, Any]]
) -> None:
    run = failed(Rejected("No."))
    plan = api.made(f"{RUNS}/{run}/retry-plan", {"mode": "failed"})
    assert wrong(plan, PLAN) == []
    assert [(each["node_id"], each["action"], each["effect"]) for each in plan["steps"]] == [
        ("start", "keep", "none"),
        ("call", "run", "first_time"),
        ("end", "run", "first_time"),
    ]
    assert plan["steps"][0]["last_output_preview"] == '{"n":1}'
    assert Execution.unscoped.count() == 1
    answer = api.post(f"{RUNS}/{run}/retry", {"mode": "failed", "plan_version": plan["plan_version"]})
    assert (answer.status_code, wrong(answer.json(), ACCEPTED)) == (202, [])
    done = ended(api, answer.json()["execution_id"])
    assert (done["status"], done["rerun_of"], len(other.keys)) == ("completed", run, 2)
    assert done["metrics"]["api_calls_count"] == 0


def test_one_key_gives_one_new_run(api: Api, failed: Callable[..., str]) -> None:
    run = failed(Rejected("No."))

    def once(_n: int) -> dict[str, Any]:
        try:
            return Api(api.token).made(f"{RUNS}/{run}/retry", {"mode": "failed"}, Idempotency_Key="k-1")
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as threads:
        answers = list(threads.map(once, range(4)))
    assert len({each["execution_id"] for each in answers}) == 1
    assert Execution.unscoped.filter(rerun_of=run).count() == 1


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"mode": "some"},
        {"mode": "from"},
        {"mode": "from", "node_id": "nowhere"},
        {"mode": "failed", "version": "2"},
        {"mode": "failed", "input_data": [1]},
    ],
)
def test_what_makes_no_run_is_refused(api: Api, failed: Callable[..., str], body: dict[str, Any]) -> None:
    run = failed(Rejected("No."))
    for path in ("retry-plan", "retry"):
        assert api.post(f"{RUNS}/{run}/{path}", body).status_code == 400
        assert api.post(f"{RUNS}/{run}/{path}", body, API_Version="2025-08-08").status_code == 422
    assert Execution.unscoped.count() == 1


def test_a_stale_plan_is_a_conflict_that_names_both(api: Api, failed: Callable[..., str]) -> None:
    run = failed(Rejected("No."))
    current = api.made(f"{RUNS}/{run}/retry-plan", {"mode": "failed"})["plan_version"]
    error = refusal(api.post(f"{RUNS}/{run}/retry", {"mode": "failed", "plan_version": "old"}), 409, "RES_002")
    assert error["details"] == {"given": "old", "current": current}
    assert Execution.unscoped.count() == 1


def test_an_unknown_effect_is_named_settled_and_then_kept(
    api: Api, failed: Callable[..., str], other: Other, ended: Callable[..., dict[str, Any]]
) -> None:
    run = failed(Unknown("No answer came."))
    listed = api.get("/api/effects?state=unknown").json()
    assert (listed["total"], wrong(listed["effects"], [EFFECT])) == (1, [])
    [effect] = listed["effects"]
    assert (effect["key"], effect["state"]) == (f"{run}/call/0", "unknown")
    error = refusal(api.post(f"{RUNS}/{run}/retry", {"mode": "failed"}), 409, "RES_002")
    assert error["details"]["effects"] == [{"id": effect["id"], "node_id": "call", "key": effect["key"]}]
    assert "'call'" in error["message"]

    path = f"/api/effects/{effect['id']}/settle"
    assert api.post(path, {"note": "?"}).status_code == 400
    settled = api.made(path, {"happened": True, "note": "Order 5 is there."})
    assert (settled["state"], settled["settled_by"]) == ("settled_done", "ann@example.com")
    refusal(api.post(path, {"happened": False}), 409, "RES_002")
    refusal(api.post("/api/effects/999999999999999999999/settle", {"happened": True}), 404, "RES_001")
    assert api.get("/api/effects").json()["effects"] == []
    [told] = api.get(f"{RUNS}/{run}/effects").json()["effects"]
    assert (told["note"], wrong(told, EFFECT)) == ("Order 5 is there.", [])

    done = ended(api, api.made(f"{RUNS}/{run}/retry", {"mode": "failed"})["execution_id"])
    assert (done["status"], len(other.keys)) == ("completed", 1)
    assert [each["state"] for each in api.get(f"{RUNS}/{done['id']}/effects").json()["effects"]] == [
        "settled_done",
        "confirmed",
    ]


def test_who_may_only_read_reads_and_who_is_no_manager_settles_nothing(
    api: Api, viewer: Person, member: Person, failed: Callable[..., str]
) -> None:
    run = failed(Unknown("No answer came."))
    effect = ExecutionStep.objects.get(node_id="call").pk
    assert viewer.api.get("/api/effects").json()["total"] == 1
    assert viewer.api.get(f"{RUNS}/{run}/explain").status_code == 200
    refusal(viewer.api.post(f"{RUNS}/{run}/retry", {"mode": "whole"}), 403, "AUTH_003")
    refusal(viewer.api.post(f"{RUNS}/{run}/retry-plan", {"mode": "whole"}), 403, "AUTH_003")
    for person in (viewer, member):
        refusal(person.api.post(f"/api/effects/{effect}/settle", {"happened": True}), 403, "AUTH_003")
    assert (ExecutionStep.objects.get(pk=effect).effect, Execution.unscoped.count()) == ("unknown", 1)


def test_an_explanation(api: Api, failed: Callable[..., str]) -> None:
    run = failed(Rejected("The order is closed."))
    found = api.get(f"{RUNS}/{run}/explain").json()
    assert wrong(found, EXPLANATION) == []
    assert found["summary"] == "It failed. 'call' failed: The order is closed."
    assert (found["reasons"][0]["kind"], found["reasons"][0]["node_id"]) == ("failed", "call")
