"""The result of an execution at its `webhook_url`: signed, repeated under one id, given up at last."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from auterity.kernel.access import Actor
from auterity.kernel.errors import InvalidInput
from executions import services
from executions.models import Execution
from executions.runner import Runner
from integrations.models import WebhookDelivery
from integrations.webhooks import MAX_ATTEMPTS, deliver_due, enqueue_results, signing_secret
from tests.executions.support import ended, flow, person, save, start, until

LONG_AGO = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)


def verify(secret: str, request: Request, *, within: float = 300) -> dict[str, Any]:
    """Standard Webhooks, as a receiver would write it from the specification alone."""
    kind, _, encoded = secret.partition("_")
    assert kind == "whsec"
    body = request.get_data()
    stamp = request.headers["webhook-timestamp"]
    assert abs(time.time() - int(stamp)) < within
    signed = b".".join([request.headers["webhook-id"].encode(), stamp.encode(), body])
    expected = base64.b64encode(hmac.new(base64.b64decode(encoded), signed, hashlib.sha256).digest()).decode()
    versions = [each.split(",", 1) for each in request.headers["webhook-signature"].split(" ")]
    assert ["v1", expected] in versions
    found: dict[str, Any] = json.loads(body)
    return found


def delivery() -> WebhookDelivery:
    return WebhookDelivery.unscoped.get()


def owe(actor: Actor, url: str) -> None:
    enqueue_results([(actor.organization_id, url, {"n": 1})])


def test_the_result_is_delivered_signed(actor: Actor, receiver: HTTPServer, runner: Runner) -> None:
    receiver.expect_ordered_request("/hook", method="POST").respond_with_data("thanks")
    done = ended(start(actor, flow({"a": "start"}), {"n": 1}, webhook_url=receiver.url_for("/hook")))
    until(lambda: delivery().status == "delivered")
    [(request, _)] = receiver.log
    told = verify(signing_secret(actor.organization_id), request)
    assert set(told) == {"type", "timestamp", "data"}
    assert told["type"] == "execution.ended"
    assert dt.datetime.fromisoformat(told["timestamp"]).tzinfo is not None
    assert told["data"] == {
        "execution_id": str(done.id),
        "workflow_id": str(done.workflow_id),
        "status": "completed",
        "output_data": {"n": 1},
        "error_message": None,
    }
    assert request.headers["webhook-id"] == str(delivery().id)
    assert request.headers["content-type"] == "application/json"
    assert (delivery().attempts, delivery().last_status, delivery().due_at) == (1, 200, None)


def test_a_cancelled_execution_is_told_too(actor: Actor, receiver: HTTPServer, runner: Runner) -> None:
    runner.stop()
    receiver.expect_request("/hook").respond_with_data("")
    accepted = start(actor, flow({"a": "start"}), webhook_url=receiver.url_for("/hook"))
    services.cancel(actor=actor, execution_id=accepted.id)
    assert deliver_due()
    told = verify(signing_secret(actor.organization_id), receiver.log[0][0])["data"]
    assert (told["status"], told["output_data"]) == ("cancelled", None)
    assert told["error_message"] == "Cancelled by ann@example.com."


def test_a_failed_attempt_is_repeated_with_the_same_id(actor: Actor, receiver: HTTPServer) -> None:
    receiver.expect_ordered_request("/hook").respond_with_data("not now", status=500)
    receiver.expect_ordered_request("/hook").respond_with_data("thanks")
    owe(actor, receiver.url_for("/hook"))
    assert deliver_due()
    first = delivery()
    assert (first.status, first.attempts, first.last_status) == ("pending", 1, 500)
    assert first.last_error == "The receiver answered 500."
    assert first.due_at is not None
    assert dt.timedelta(seconds=3) < first.due_at - dt.datetime.now(dt.UTC) < dt.timedelta(seconds=7)
    assert not deliver_due()
    WebhookDelivery.unscoped.update(due_at=LONG_AGO)
    assert deliver_due()
    assert (delivery().status, delivery().attempts, delivery().last_error) == ("delivered", 2, "")
    requests = [request for request, _ in receiver.log]
    for request in requests:
        assert verify(signing_secret(actor.organization_id), request)["data"] == {"n": 1}
    assert {request.headers["webhook-id"] for request in requests} == {str(first.id)}
    assert not deliver_due()


def test_a_changed_body_does_not_verify(actor: Actor, receiver: HTTPServer) -> None:
    receiver.expect_request("/hook").respond_with_data("")
    owe(actor, receiver.url_for("/hook"))
    deliver_due()
    request = receiver.log[0][0]
    forged = Request.from_values(data=request.get_data().replace(b"1", b"2"), headers=dict(request.headers))
    with pytest.raises(AssertionError):
        verify(signing_secret(actor.organization_id), forged)


def test_another_organizations_secret_does_not_verify(actor: Actor, receiver: HTTPServer) -> None:
    receiver.expect_request("/hook").respond_with_data("")
    owe(actor, receiver.url_for("/hook"))
    deliver_due()
    with pytest.raises(AssertionError):
        verify(signing_secret(person("zoe@other.example").organization_id), receiver.log[0][0])


def test_a_receiver_that_is_gone_is_not_asked_again(actor: Actor, receiver: HTTPServer) -> None:
    receiver.expect_request("/hook").respond_with_data("", status=410)
    owe(actor, receiver.url_for("/hook"))
    assert deliver_due()
    assert (delivery().status, delivery().due_at, delivery().last_status) == ("failed", None, 410)


def test_a_message_is_given_up_after_ten_attempts(actor: Actor, receiver: HTTPServer) -> None:
    receiver.expect_request("/hook").respond_with_data("", status=503)
    owe(actor, receiver.url_for("/hook"))
    for _ in range(MAX_ATTEMPTS):
        WebhookDelivery.unscoped.filter(status="pending").update(due_at=LONG_AGO)
        assert deliver_due()
    assert (delivery().status, delivery().attempts, delivery().due_at) == ("failed", 10, None)
    assert len({request.headers["webhook-id"] for request, _ in receiver.log}) == 1


def test_a_refused_address_fails_without_a_call(actor: Actor, receiver: HTTPServer, settings: Any) -> None:
    owe(actor, receiver.url_for("/hook"))
    settings.EGRESS_ALLOW = []
    assert deliver_due()
    assert (delivery().status, delivery().attempts, delivery().last_status) == ("pending", 1, None)
    assert delivery().last_error
    assert receiver.log == []


def test_a_refused_address_is_refused_when_the_run_is_asked_for(actor: Actor, settings: Any) -> None:
    settings.EGRESS_ALLOW = []
    workflow = save(actor, flow({"a": "start"}))
    with pytest.raises(InvalidInput) as refused:
        start(actor, workflow, webhook_url="http://127.0.0.1:9/hook")
    assert [problem.field for problem in refused.value.problems] == ["webhook_url"]
    assert Execution.unscoped.count() == 0


def test_a_slow_receiver_does_not_hold_up_the_others(
    actor: Actor, receiver: HTTPServer, start_runner: Callable[[], Runner]
) -> None:
    told, let_go = threading.Event(), threading.Event()

    def slow(_request: Request) -> Response:
        assert let_go.wait(10)
        return Response("late")

    def quick(_request: Request) -> Response:
        told.set()
        return Response("thanks")

    receiver.expect_request("/slow").respond_with_handler(slow)
    receiver.expect_request("/quick").respond_with_handler(quick)
    owe(actor, receiver.url_for("/slow"))
    owe(actor, receiver.url_for("/quick"))
    start_runner()
    try:
        assert told.wait(10)
    finally:
        let_go.set()
    until(lambda: WebhookDelivery.unscoped.filter(status="delivered").count() == 2)
