"""`start` and `webhook-trigger`."""

from engine.node import Done
from engine.testing import FakeStep, problems_of, run_node
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


def test_a_webhook_hands_on_the_call_that_the_door_took() -> None:
    call = {"body": "<adf/>", "headers": {"x-event": "lead"}, "query": {"a": "1"}, "method": "POST"}
    step = FakeStep(inputs={"body": "<adf/>"}, context={"webhook": {**call, "more": 1}})
    assert run_node("webhook-trigger", {}, step) == Done(call)


def test_a_context_that_is_no_call_is_not_taken_for_one() -> None:
    done = run_node("webhook-trigger", {}, FakeStep(inputs={"lead": 1}, context={"webhook": "text"}))
    assert done == Done({"body": {"lead": 1}, "headers": {}, "query": {}, "method": "POST"})


def test_an_answer_that_cannot_be_a_template_is_named_when_it_is_saved() -> None:
    assert problems_of("webhook-trigger", {"response": {"ok": "{{ input.lead }}"}}) == []
    assert [field for field, _ in problems_of("webhook-trigger", {"response": "{{ input. }}"})] == ["response"]


def test_the_secret_is_not_in_the_repr() -> None:
    assert "hunter2" not in repr(Config(secret="hunter2"))
