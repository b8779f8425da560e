"""`start` and `webhook-trigger`."""

from engine.node import Done
from engine.testing import FakeStep, run_node
from nodes.webhook_trigger import Config


def test_start_hands_the_inputs_on() -> None:
    step = FakeStep(inputs={"customer_email": "jane@example.com"})
    assert run_node("start", {}, step) == Done({"customer_email": "jane@example.com"})


def test_start_ignores_what_001_writes_beside() -> None:
    assert run_node("start", {"label": "Start Process"}) == Done({})


def test_a_webhook_run_by_hand_takes_the_inputs_for_the_body() -> None:
    step = FakeStep(inputs={"lead": 1})
    assert run_node("webhook-trigger", {"authentication": "hmac", "secret": "s"}, step) == Done(
        {"body": {"lead": 1}, "headers": {}, "query": {}, "method": "POST"}
    )


def test_the_secret_is_not_in_the_repr() -> None:
    assert "hunter2" not in repr(Config(secret="hunter2"))
