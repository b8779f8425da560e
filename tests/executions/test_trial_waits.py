"""Steps that wait for time, people or events do not hold a trial up: they stand in."""

from __future__ import annotations

from typing import Any

import pytest

from auterity.kernel.access import Actor
from engine.graph import compile_graph
from engine.node import Done, Failed
from engine.registry import NODES
from executions.trials.running import Given, Trial, try_out
from executions.trials.services import NodeInput, try_node
from tests.executions.support import flow, save

ABOUT: dict[str, Any] = {"workflow": {}, "organization": {}}
FIELDS = [
    {"name": "price", "type": "number"},
    {"name": "mail", "type": "email"},
    {"name": "when", "type": "date"},
    {"name": "stage", "type": "select", "options": ["new", "won"]},
    {"name": "tags", "type": "multiselect", "options": ["a", "b"]},
    {"name": "note", "type": "text", "default": "none"},
]
WAITING = flow(
    {
        "begin": "start",
        "later": ("delay", {"seconds": 3600}),
        "ask": ("approval", {"title": "{{ inputs.what }}?", "assignees": ["manager"]}),
        "form": ("form-input", {"fields": FIELDS}),
        "paid": ("wait-for-event", {"event": "payment.received"}),
        "no": "merge",
        "late": "merge",
    },
    "begin > later",
    "later > ask",
    "ask.approved > form",
    "ask.rejected > no",
    "form > paid",
    "paid.expired > late",
)


def tried(**given: Any) -> Trial:
    return try_out(compile_graph(WAITING), Given({"what": "Discount"}, **given), about=ABOUT)


def test_every_step_that_waits_stands_in() -> None:
    trial = tried()
    steps = {step.node.id: step for step in trial.steps}
    assert (trial.status, trial.warnings, trial.skipped) == ("completed", [], ["no", "late"])
    assert {name: step.source for name, step in steps.items()} == {
        "begin": "ran", "later": "sampled", "ask": "sampled", "form": "sampled", "paid": "sampled",
    }  # fmt: skip
    assert steps["later"].output == {"waited_seconds": 3600.0}
    assert steps["ask"].config == {"title": "Discount?", "assignees": ["manager"]}
    assert (steps["ask"].port, steps["ask"].output["decision"]) == ("approved", "approved")
    assert steps["form"].output == {
        "price": 1.5, "mail": "sample@example.com", "when": "2026-01-01", "stage": "new", "tags": ["a"], "note": "none",
    }  # fmt: skip
    assert (steps["paid"].port, steps["paid"].output["event"]) == ("received", "payment.received")


def test_the_other_ways_are_tried_with_mocks() -> None:
    trial = tried(mocks={"ask": Done({"decision": "rejected"}, port="rejected")})
    assert (trial.output, trial.skipped) == ({"ask": {"decision": "rejected"}}, ["form", "paid", "late"])
    late = tried(mocks={"paid": Done({"event": "payment.received"}, port="expired")})
    assert [step.node.id for step in late.steps][-1] == "late"
    failed = tried(mocks={"form": Failed("timeout", "Nobody filled it in.")})
    assert failed.error == {"node_id": "form", "code": "timeout", "message": "Nobody filled it in."}


def test_a_pin_leaves_by_the_first_port() -> None:
    assert [step.port for step in tried(pinned={"ask": {"decision": "approved"}}).steps][2] == "approved"


@pytest.mark.parametrize(
    "name", sorted(each.name for each in NODES if each.resume is not None and each.name != "sub-workflow")
)
def test_every_type_that_waits_has_a_sample(name: str) -> None:
    """But for a sub-workflow: what another workflow puts out is nobody's guess, so it is asked to be pinned."""
    assert NODES.get(name).sample is not None


def test_a_step_that_waits_is_not_carried_out_by_itself(actor: Actor) -> None:
    workflow = save(actor, WAITING)
    given = NodeInput(inputs={"what": "Discount"})
    found = try_node(actor=actor, workflow_id=workflow.id, node_id="ask", number=None, given=given, really=True)
    assert (found.performed, found.step.source, found.step.port) == (False, "sampled", "approved")
    assert found.warnings == ["'ask' waits for time or people, which only an execution can do; it was not carried out."]
