"""Runs that steps start: once each, in the organization of the run that started them, and ended with it."""

from __future__ import annotations

from typing import Any

import pytest

from auterity.kernel.access import Actor
from engine.house_ports import NewRun
from engine.node import Done, Effect, Failed
from executions import claims, gateway, services
from executions.models import Execution
from executions.runner import Runner
from tests.executions.support import ended, flow, fresh, person, save, start, steps_of, until
from workflows import services as workflows
from workflows.errors import DefinitionRefused


def children_of(execution: Execution) -> list[Execution]:
    return list(Execution.unscoped.filter(parent_id=execution.id).order_by("parent_item"))


def body(*nodes: tuple[str, Any], edges: tuple[str, ...] = ()) -> dict[str, Any]:
    return flow(dict(nodes), *edges)


DOUBLE = body(("double", ("data-transformation", {"set": {"n": "{{ item * 2 + inputs.plus }}", "at": "{{ index }}"}})))


# -- sub-workflow ----------------------------------------------------------------------------------------------------


def test_another_workflow_is_one_step(actor: Actor, runner: Runner) -> None:
    inner = save(actor, flow({"sum": ("data-transformation", {"set": {"total": "{{ inputs.a + inputs.b }}"}})}))
    config = {"workflow_id": str(inner.id), "inputs": {"a": "{{ inputs.a }}", "b": 2}}
    accepted = start(actor, flow({"a": "start", "sub": ("sub-workflow", config)}, "a > sub"), {"a": 40})
    done = ended(accepted)
    [child] = children_of(done)
    assert (done.status, done.output_data) == ("completed", {"total": 42})
    assert (child.status, child.origin, child.depth, child.input_data) == ("completed", "run", 1, {"a": 40, "b": 2})
    assert (child.created_by_id, child.workflow_id) == (actor.user_id, inner.id)


def test_a_sub_run_that_fails_fails_its_step(actor: Actor, runner: Runner, add_node: Any) -> None:
    add_node("call", lambda config, step: Failed("rejected", "No."), effect=Effect.KEYED)
    inner = save(actor, flow({"x": "call"}))
    accepted = start(actor, flow({"sub": ("sub-workflow", {"workflow_id": str(inner.id)})}))
    done = ended(accepted)
    assert (done.status, done.error_code) == ("failed", "rejected")
    assert "The run it started ended as failed: 'x' failed: No." in done.error_message


def test_a_sub_run_may_go_on_by_itself(actor: Actor, runner: Runner) -> None:
    inner = save(actor, flow({"x": ("delay", {"seconds": 3600})}))
    accepted = start(actor, flow({"sub": ("sub-workflow", {"workflow_id": str(inner.id), "wait": False})}))
    done = ended(accepted)
    [child] = children_of(done)
    assert (done.status, done.output_data) == ("completed", {"execution_id": str(child.id)})
    until(lambda: fresh(child).status == "running", what="the child run")


def test_a_workflow_of_another_organization_is_not_there(actor: Actor, runner: Runner) -> None:
    theirs = save(person("eve@elsewhere.com"), flow({"x": "start"}))
    done = ended(start(actor, flow({"sub": ("sub-workflow", {"workflow_id": str(theirs.id)})})))
    assert (done.status, done.error_code) == ("failed", "rejected")
    assert "There is no such workflow." in done.error_message
    assert Execution.unscoped.filter(workflow_id=theirs.id).count() == 0


@pytest.mark.parametrize(("kind", "more"), [("sub-workflow", {}), ("map", {"items": [1]})])
def test_an_id_that_is_none_once_filled_in_is_told(actor: Actor, runner: Runner, kind: str, more: Any) -> None:
    config = {"workflow_id": "{{ inputs.named }}", **more}
    done = ended(start(actor, flow({"sub": (kind, config)}), {"named": "{{ leads"}))
    assert (done.status, done.error_code) == ("failed", "rejected")
    assert "'{{ leads' is not the id of a workflow." in done.error_message


def test_a_workflow_that_starts_itself_ends_at_a_depth(actor: Actor, runner: Runner) -> None:
    workflow = save(actor, flow({"sub": "start"}))
    definition = flow({"sub": ("sub-workflow", {"workflow_id": str(workflow.id)})})
    workflows.update_workflow(
        actor=actor, workflow_id=workflow.id, change=workflows.WorkflowChange(definition=definition)
    )
    done = ended(start(actor, workflow))
    assert done.status == "failed"
    assert Execution.unscoped.filter(workflow_id=workflow.id).count() == 6
    assert "Runs may start runs 5 deep" in Execution.unscoped.get(depth=5).error_message


def test_a_cancelled_run_takes_its_sub_runs_with_it(actor: Actor, runner: Runner) -> None:
    inner = save(actor, flow({"x": ("delay", {"seconds": 3600})}))
    accepted = start(actor, flow({"sub": ("sub-workflow", {"workflow_id": str(inner.id)})}))
    until(lambda: children_of(accepted) and fresh(children_of(accepted)[0]).lease_owner == "", what="the child run")
    services.cancel(actor=actor, execution_id=accepted.id)
    assert [each.status for each in children_of(accepted)] == ["cancelled"]


# -- map -------------------------------------------------------------------------------------------------------------


def mapped(config: dict[str, Any]) -> dict[str, Any]:
    return flow({"a": "start", "each": ("map", {"items": "{{ inputs.list }}", **config})}, "a > each")


def test_a_body_that_only_computes_needs_no_runs(actor: Actor, runner: Runner) -> None:
    config = {"workflow": DOUBLE, "inputs": {"plus": 1}, "where": "item != 2"}
    accepted = start(actor, mapped(config), {"list": [1, 2, 3]})
    done = ended(accepted)
    assert done.output_data == {
        "results": [{"n": 3, "at": 0}, {"n": 7, "at": 2}],
        "errors": [],
        "count": 2,
        "file": None,
        "truncated": False,
    }
    assert children_of(done) == []


def calling(add_node: Any, seen: list[Any]) -> dict[str, Any]:
    """A body with an effect, which fails for the item 13."""

    def call(config: Any, step: Any) -> Done | Failed:
        seen.append(config.value)
        return Failed("rejected", "Unlucky.") if config.value == 13 else Done({"value": config.value})

    add_node("call", call, effect=Effect.KEYED)
    return body(("x", ("call", {"value": "{{ item }}"})))


def test_a_body_with_effects_becomes_a_run_an_item_in_the_lists_order(
    actor: Actor, runner: Runner, add_node: Any
) -> None:
    seen: list[Any] = []
    accepted = start(actor, mapped({"workflow": calling(add_node, seen), "concurrency": 3}), {"list": list(range(10))})
    done = ended(accepted)
    assert (done.status, sorted(seen)) == ("completed", list(range(10)))
    assert done.output_data["results"] == [{"value": n} for n in range(10)]
    runs = children_of(done)
    assert [run.parent_item for run in runs] == list(range(10))
    assert {run.body for run in runs} == {"each"}
    assert list(steps_of(runs[0])) == ["x"]


@pytest.mark.parametrize(
    ("mode", "results", "errors"),
    [
        ("skip", [1, 2], []),
        ("collect", [1, 2], [{"index": 1, "error": "'x' failed: Unlucky."}]),
    ],
)
def test_an_item_that_fails_is_left_out(
    actor: Actor, runner: Runner, add_node: Any, mode: str, results: list[int], errors: list[Any]
) -> None:
    config = {"workflow": calling(add_node, []), "on_item_error": mode}
    done = ended(start(actor, mapped(config), {"list": [1, 13, 2]}))
    assert done.output_data == {
        "results": [{"value": n} for n in results],
        "errors": errors,
        "count": 3,
        "file": None,
        "truncated": False,
    }


def test_an_item_that_fails_ends_the_step_and_the_other_runs(actor: Actor, runner: Runner, add_node: Any) -> None:
    seen: list[Any] = []
    config = {"workflow": calling(add_node, seen), "concurrency": 1}
    done = ended(start(actor, mapped(config), {"list": [1, 13, 2, 3]}))
    assert (done.status, seen) == ("failed", [1, 13])
    assert "The run for the item 1 ended as failed: 'x' failed: Unlucky." in done.error_message


def test_batches_get_lists_of_items(actor: Actor, runner: Runner, add_node: Any) -> None:
    seen: list[Any] = []
    config = {"workflow": calling(add_node, seen), "batch_size": 4, "concurrency": 1}
    done = ended(start(actor, mapped(config), {"list": list(range(10))}))
    assert (done.status, seen) == ("completed", [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]])


def test_no_more_runs_than_allowed_are_under_way(actor: Actor, runner: Runner, add_node: Any) -> None:
    live: list[int] = []
    most: list[int] = []

    def call(config: Any, step: Any) -> Done:
        live.append(config.value)
        most.append(len(live))
        until(lambda: len(live) < 3 or len(most) > 2, seconds=0.2) if len(live) < 2 and config.value < 2 else None
        live.remove(config.value)
        return Done(None)

    add_node("call", call, effect=Effect.KEYED)
    config = {"workflow": body(("x", ("call", {"value": "{{ item }}"}))), "concurrency": 2}
    assert ended(start(actor, mapped(config), {"list": list(range(8))})).status == "completed"
    assert max(most) <= 2


def test_runs_are_accepted_once_however_often_the_step_begins(actor: Actor) -> None:
    """As after a crash between the runs' acceptance and the step's own record."""
    accepted = start(actor, mapped({"workflow": DOUBLE}), {"list": [1]})
    [held] = claims.claim(owner="w", limit=1, lease=30.0)
    runs = gateway.ports_of(actor.organization_id).runs
    wanted = [NewRun(n, {"item": n, "index": n}) for n in range(3)]
    first = runs.start(f"{held.id}/each/0", 1, wanted[:2])
    assert runs.start(f"{held.id}/each/0", 1, wanted)[:2] == first
    assert [run.parent_item for run in children_of(accepted)] == [0, 1, 2]


def test_a_broken_body_is_refused_when_it_is_saved(actor: Actor) -> None:
    with pytest.raises(DefinitionRefused) as refused:
        save(actor, mapped({"workflow": body(("x", ("call-nothing", {})))}))
    assert "nodes.each.config.workflow.nodes.x.type" in refused.value.definition_problems[0].place
