"""A header that is stored sealed goes out as the secret it stands for, and no record of the run holds it."""

from __future__ import annotations

from typing import Any

from pytest_httpserver import HTTPServer

from auterity.kernel.access import Actor
from executions.models import ExecutionStatus
from executions.runner import Runner
from tests.executions.support import ended, flow, start
from tests.workflows.test_sealed_secrets import stored_text
from workflows import services
from workflows.shapes import read_definition


def test_a_run_sends_what_its_definition_only_refers_to(
    actor: Actor, httpserver: HTTPServer, settings: Any, runner: Runner
) -> None:
    settings.EGRESS_ALLOW = ["127.0.0.1", "localhost"]
    httpserver.expect_request("/leads").respond_with_json({})
    headers = {
        "Authorization": "Bearer token-marker-81",
        "X-Dealer": {"secret": "dealer-marker-82"},
        "X-Filled-Token": "Bearer {{ input.token }}",
    }
    config = {"method": "GET", "url": httpserver.url_for("/leads"), "headers": headers}
    definition = read_definition({"definition": flow({"call": ("api-integration", config)})})
    workflow = services.create_workflow(actor=actor, name="Calling", definition=definition or {})
    run = ended(start(actor, workflow, {"token": "given-marker-83"}))
    assert run.status == ExecutionStatus.COMPLETED, run.error_message
    ((request, _),) = httpserver.log
    assert request.headers["Authorization"] == "Bearer token-marker-81"
    assert request.headers["X-Dealer"] == "dealer-marker-82"
    assert request.headers["X-Filled-Token"] == "Bearer given-marker-83"
    for table in ("execution_steps", "execution_logs"):
        text = stored_text(table)
        assert not any(each in text for each in ("token-marker", "dealer-marker", "Bearer given", "sealed:"))
