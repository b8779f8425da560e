"""What a configuration says about a step's effect decides where the step runs, and forms' links reach who is asked."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from django.test import Client

from auterity.kernel.access import Actor
from executions.models import ExecutionStep, OpenQuestion
from executions.people import link_of
from executions.runner import Runner
from tests.executions.support import ended, flow, kinds_of, start, steps_of, until

pytestmark = pytest.mark.django_db(transaction=True)


def begun(execution: Any) -> list[str | None]:
    """Steps whose intent was recorded, as only those on a thread are."""
    return [node for kind, node in kinds_of(execution) if kind == "step_started"]


def test_text_at_hand_is_read_where_pure_steps_are(actor: Actor, runner: Runner) -> None:
    reading = flow(
        {"a": "start", "read": ("file-processor", {"content": "{{ inputs.text }}", "format": "csv"})}, "a > read"
    )
    done = ended(start(actor, reading, {"text": "x,y\n1,2\n"}))
    assert done.output_data["items"] == [{"x": "1", "y": "2"}]
    assert "read" not in begun(done)
    shown = flow({"a": "start", "show": ("output-formatter", {"format": "json", "value": 1})}, "a > show")
    assert "show" not in begun(ended(start(actor, shown)))


def test_what_is_stored_is_stored_on_a_thread_and_read_by_the_next_step(actor: Actor, runner: Runner) -> None:
    definition = flow(
        {
            "make": ("output-formatter", {"format": "csv", "value": [{"n": 1}, {"n": 2}], "as_file": True}),
            "read": ("file-processor", {"file": "{{ input.file }}"}),
            "each": (
                "map",
                {
                    "items": "{{ input.items }}",
                    "workflow": flow({"x": ("data-transformation", {"set": {"n": "{{ item.n }}"}})}),
                    "totals": {"count": {"fn": "count"}},
                },
            ),
        },
        "make > read",
        "read > each",
    )
    done = ended(start(actor, definition))
    assert done.output_data["results"] == [{"n": "1"}, {"n": "2"}]
    assert done.output_data["totals"] == {"count": 2}
    assert begun(done) == ["make", "read", "each"]
    made: ExecutionStep = steps_of(done)["make"]
    assert UUID(made.output_data["file"])
    assert made.output_data["size"] == len("n\r\n1\r\n2\r\n")


def test_a_forms_link_is_mailed_and_the_run_goes_on_once_it_is_filled_in(
    actor: Actor, runner: Runner, client: Client, settings: Any
) -> None:
    said = {"to": "jane@example.com", "subject": "Please choose", "text": "Here: {{ execution.links.choose }}"}
    config = {"title": "Choose a day", "who": "public", "fields": [{"name": "day", "type": "date", "required": True}]}
    definition = flow({"mail": ("email-sender", said), "choose": ("form-input", config)}, "mail > choose")
    accepted = start(actor, definition)
    until(lambda: OpenQuestion.unscoped.filter(execution=accepted, closed_at=None).exists(), what="a question")
    text = steps_of(accepted)["mail"].input_data["text"]
    assert text == f"Here: {link_of(f'{accepted.id}/choose/0')}"
    address = text.partition(settings.PUBLIC_URL)[2]
    assert "Choose a day" in client.get(address).content.decode()
    assert client.post(address, {"field-day": "tomorrow"}).status_code == 400
    assert client.post(address, {"field-day": "2026-12-01"}).status_code == 200
    assert ended(accepted).output_data == {"day": "2026-12-01"}


def test_only_forms_in_mid_run_that_are_public_have_a_link(actor: Actor, runner: Runner) -> None:
    asked = {"first": ("form-input", {"who": "public"}), "own": ("form-input", {"who": "members"})}
    show = {"show": ("data-transformation", {"set": {"links": "{{ execution.links }}"}})}
    none = ended(start(actor, flow({**asked, **show}, "first > show", "show > own")))
    assert none.status == "failed"
    assert "execution has no 'links'" in none.error_message
    later = {**asked, **show, "then": ("form-input", {"who": "public"})}
    accepted = start(actor, flow(later, "first > show", "show > own", "own > then"))
    until(lambda: "show" in steps_of(accepted), what="the step")
    links = steps_of(accepted)["show"].output_data["links"]
    assert links == {"then": link_of(f"{accepted.id}/then/0")}
