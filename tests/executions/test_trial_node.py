"""One node tried by itself: with data given, with data recorded, and, when asked, for real."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from auterity.kernel.access import Actor, Permission
from auterity.kernel.errors import PermissionDenied
from executions.errors import ExecutionNotFound
from executions.lines import MASK
from executions.models import Execution
from executions.runner import Runner
from executions.trials.errors import NodeNotFound
from executions.trials.services import NodeInput, NodeTrial, try_node
from tests.executions.support import ended, flow, person, save, start
from workflows.models import Workflow

DEFINITION = flow(
    {
        "begin": "start",
        "double": (
            "data-transformation",
            {"set": {"total": "{{ input.amount * factor }}", "who": "{{ context.who }}"}},
        ),
        "last": ("data-transformation", {"set": {"seen": "{{ steps.double.total }}"}}),
    },
    "begin > double",
    "double > last",
    variables=[{"name": "factor", "default_value": 2}],
)


def attempt(
    actor: Actor, workflow: Workflow, node_id: str, *, really: bool = False, number: int | None = None, **given: Any
) -> NodeTrial:
    node_input = NodeInput(**given, has_input="input" in given)
    return try_node(
        actor=actor, workflow_id=workflow.id, node_id=node_id, number=number, given=node_input, really=really
    )


def test_a_pure_node_runs_with_what_is_given(actor: Actor) -> None:
    workflow = save(actor, DEFINITION)
    tried = attempt(actor, workflow, "double", input={"amount": 4}, context={"who": "Ann"})
    assert (tried.step.output, tried.step.source, tried.performed) == ({"total": 8, "who": "Ann"}, "ran", False)
    assert tried.step.config == {"set": {"total": 8, "who": "Ann"}}
    assert attempt(actor, workflow, "last", steps={"double": {"total": 3}}).step.output == {"seen": 3}
    assert attempt(actor, workflow, "begin", inputs={"a": 1}).step.output == {"factor": 2, "a": 1}
    assert not Execution.unscoped.exists()


def test_what_is_missing_is_said(actor: Actor) -> None:
    tried = attempt(actor, save(actor, DEFINITION), "double", input={"amount": 4})
    assert tried.step.status == "failed"
    assert tried.step.error is not None
    assert (tried.step.error.code, tried.step.output) == ("expression", None)
    assert "context" in tried.step.error.message


def test_a_node_runs_with_what_an_earlier_execution_recorded(actor: Actor, runner: Runner) -> None:
    workflow = save(actor, DEFINITION)
    run = ended(start(actor, workflow, {"amount": 5}, context={"who": "Bob"}))
    tried = attempt(actor, workflow, "double", from_execution=run.id)
    assert (tried.step.input, tried.step.output) == ({"factor": 2, "amount": 5}, {"total": 10, "who": "Bob"})
    assert attempt(actor, workflow, "last", from_execution=run.id).step.output == {"seen": 10}
    given = attempt(actor, workflow, "double", from_execution=run.id, input={"amount": 1}, context={"who": "Me"})
    assert given.step.output == {"total": 2, "who": "Me"}


def test_a_node_that_did_not_run_then_gets_nothing_and_says_so(actor: Actor, runner: Runner) -> None:
    branch = flow(
        {"ask": ("decision-logic", {"condition": "inputs.yes"}), "a": "merge", "b": "merge"},
        "ask.true > a",
        "ask.false > b",
    )
    workflow = save(actor, branch)
    run = ended(start(actor, workflow, {"yes": True}))
    tried = attempt(actor, workflow, "b", from_execution=run.id)
    assert tried.warnings == ["'b' did not run in that execution, so nothing arrives at it here."]
    assert tried.step.input is None


def test_executions_of_others_and_of_other_workflows_are_unknown(actor: Actor) -> None:
    workflow = save(actor, DEFINITION)
    elsewhere = start(actor, save(actor, DEFINITION), {"amount": 1})
    stranger = person("otto@other.example")
    foreign = start(stranger, save(stranger, DEFINITION), {"amount": 1})
    for run in (elsewhere, foreign):
        with pytest.raises(ExecutionNotFound):
            attempt(actor, workflow, "double", from_execution=run.id)
    with pytest.raises(NodeNotFound):
        attempt(actor, workflow, "nobody")


@pytest.fixture
def calling(actor: Actor, httpserver: HTTPServer, settings: Any) -> Workflow:
    settings.EGRESS_ALLOW = ["127.0.0.1", "localhost"]
    httpserver.expect_request("/leads").respond_with_json({"id": 7})
    config = {
        "method": "POST",
        "url": httpserver.url_for("/leads"),
        "body": {"name": "{{ input.name }}"},
        "headers": {"X-Api-Key": "k3y"},
    }
    return save(actor, flow({"call": ("api-integration", config)}))


def test_an_effect_is_only_prepared(actor: Actor, calling: Workflow, httpserver: HTTPServer) -> None:
    tried = attempt(actor, calling, "call", input={"name": "Ann"})
    assert (tried.performed, tried.step.source, tried.step.output["status"]) == (False, "sampled", 200)
    assert tried.step.config is not None
    assert (tried.step.config["body"], tried.step.config["headers"]) == ({"name": "Ann"}, {"X-Api-Key": MASK})
    assert httpserver.log == []


def test_an_effect_is_really_performed_once_when_asked(
    actor: Actor, calling: Workflow, httpserver: HTTPServer, logs: list[Any]
) -> None:
    tried = attempt(actor, calling, "call", input={"name": "Ann"}, really=True)
    assert (tried.performed, tried.step.source, tried.step.output["body"]) == (True, "ran", {"id": 7})
    ((request, _),) = httpserver.log
    assert (request.json, request.headers["X-Api-Key"]) == ({"name": "Ann"}, "k3y")
    (line,) = [each for each in logs if each["event"] == "node_performed_by_hand"]
    assert (line["node"], line["user"], line["workflow"]) == ("call", str(actor.user_id), str(calling.id))
    assert request.headers["Idempotency-Key"] == line["key"]
    assert not Execution.unscoped.exists()


def test_nothing_is_performed_when_the_settings_do_not_fit(
    actor: Actor, calling: Workflow, httpserver: HTTPServer
) -> None:
    tried = attempt(actor, calling, "call", input={}, really=True)
    assert (tried.performed, tried.step.status) == (False, "failed")
    assert httpserver.log == []


def test_a_pure_node_is_not_performed(actor: Actor) -> None:
    assert attempt(actor, save(actor, DEFINITION), "begin", really=True).performed is False


def test_whoever_may_not_execute_tries_nothing(
    actor: Actor, calling: Workflow, httpserver: HTTPServer, add_node: Callable[..., None]
) -> None:
    reader = Actor(actor.user_id, actor.organization_id, actor.role, frozenset({Permission.WORKFLOW_READ}))
    for really in (False, True):
        with pytest.raises(PermissionDenied):
            attempt(reader, calling, "call", input={"name": "Ann"}, really=really)
    assert httpserver.log == []
