"""Running again in part: what is done is kept, what would be repeated is said, and nothing is done on an old plan."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from artefacts.models import Artefact
from auterity.kernel.access import Actor
from auterity.kernel.errors import InvalidInput
from engine.node import Done, Effect, Failed, Outcome
from engine.ports import Rejected, Unknown, Usage
from executions import again, effects, services
from executions.errors import EffectsUnknown, ExecutionLive, ExecutionNotFound, PlanStale, RetryRefused
from executions.models import Execution, ExecutionStep, LogKind
from executions.payloads import Payloads
from executions.retry_plan import Mode, RetryPlan, Wish
from executions.runner import Runner
from tests.executions.support import ended, flow, fresh, lines_of, person, save, start, steps_of, until
from workflows import services as workflows
from workflows.errors import WorkflowInactive
from workflows.models import Workflow
from workflows.services import WorkflowChange

FAILED = Wish(Mode.FAILED)


class Calls:
    """An effect that counts by node, and goes wrong at the nodes it is told to."""

    def __init__(self) -> None:
        self.made: Counter[str] = Counter()
        self.wrong: dict[str, Any] = {}

    def __call__(self, config: Any, step: Any) -> Outcome:
        self.made[step.node_id] += 1
        if step.node_id in self.wrong:
            raise self.wrong[step.node_id]
        usage = Usage("p", "m", prompt_tokens=5, cost_usd=0.25)
        return Done({"from": step.node_id, "saw": config.value}, receipt=f"r-{step.node_id}", usage=usage)


@pytest.fixture
def calls(add_node: Any) -> Calls:
    made = Calls()
    add_node("call", made, effect=Effect.KEYED)
    return made


CHAIN = {"begin": "start", "a": "call", "b": "call", "c": "call"}
LINES = ("begin > a", "a > b", "b > c")


def chain(**config: Any) -> dict[str, Any]:
    nodes: dict[str, Any] = {**CHAIN, **{name: ("call", {"value": value}) for name, value in config.items()}}
    return flow(nodes, *LINES)


def broken(
    actor: Actor, calls: Calls, definition: dict[str, Any] | None = None, at: str = "b", **more: Any
) -> Execution:
    """An execution that failed at one step."""
    calls.wrong[at] = Rejected("No.")
    failed = ended(start(actor, definition or chain(), **more))
    assert failed.status == "failed"
    calls.wrong.clear()
    calls.made.clear()
    return failed


def plan(actor: Actor, execution: Execution, wish: Wish = FAILED) -> RetryPlan:
    return again.plan(actor=actor, execution_id=execution.id, wish=wish)


def retry(actor: Actor, execution: Execution, wish: Wish = FAILED, **more: Any) -> Execution:
    return again.retry(actor=actor, execution_id=execution.id, wish=wish, **more)


def actions(found: RetryPlan) -> dict[str, tuple[str, str]]:
    return {each.node_id: (each.action, each.effect) for each in found.steps}


# -- from what failed ------------------------------------------------------------------------------------------------


def test_from_what_failed_keeps_what_is_done(actor: Actor, calls: Calls, runner: Runner) -> None:
    failed = broken(actor, calls)
    before = steps_of(failed)
    found = plan(actor, failed)
    assert actions(found) == {
        "begin": ("keep", "none"),
        "a": ("keep", "none"),
        "b": ("run", "first_time"),
        "c": ("run", "first_time"),
    }
    assert (found.repeated, found.unknown, found.kept_cost_usd, found.estimated_cost_usd) == ([], [], 0.25, 0.0)
    accepted = retry(actor, failed, plan_version=found.plan_version)
    done = ended(accepted)
    assert (done.status, done.origin, done.rerun_of, calls.made) == (
        "completed",
        "again",
        failed.id,
        Counter({"b": 1, "c": 1}),
    )
    rows = steps_of(done)
    assert list(rows) == ["begin", "a", "b", "c"]
    kept = rows["a"]
    assert (kept.kept_from, kept.cost_usd, kept.tokens, kept.receipt) == (failed.id, Decimal(0), 0, "r-a")
    assert (kept.output_data, kept.started_at) == (before["a"].output_data, before["a"].started_at)
    assert (rows["b"].kept_from, rows["b"].cost_usd) == (None, Decimal("0.25"))
    assert [(line.kind, line.message) for line in lines_of(done)][:2] == [
        (LogKind.NOTE, f"2 steps are kept from the execution {failed.id}; the others run again."),
        (LogKind.STARTED, "Execution started."),
    ]


def test_a_kept_record_names_the_execution_it_comes_from_however_often_it_is_kept(
    actor: Actor, calls: Calls, runner: Runner
) -> None:
    first = broken(actor, calls)
    calls.wrong["c"] = Rejected("No.")
    second = ended(retry(actor, first))
    assert second.status == "failed"
    calls.wrong.clear()
    found = plan(actor, second)
    assert found.kept_cost_usd == 0.5
    third = ended(retry(actor, second))
    assert third.status == "completed"
    assert {name: row.kept_from for name, row in steps_of(third).items()} == {
        "begin": first.id,
        "a": first.id,
        "b": second.id,
        "c": None,
    }
    assert calls.made == Counter({"b": 1, "c": 2})


def test_a_large_output_becomes_a_file_of_the_new_run(
    actor: Actor, calls: Calls, engine: Any, settings: Any, tmp_path: Any, start_runner: Any
) -> None:
    settings.ARTEFACTS = {**settings.ARTEFACTS, "folder": tmp_path / "files"}
    engine(inline_bytes=200)
    start_runner()
    failed = broken(actor, calls, chain(a="x" * 1000))
    done = ended(retry(actor, failed))
    assert done.status == "completed"
    files = {each.execution_id: each for each in Artefact.objects.of(actor).filter(name="a-0.json")}
    assert set(files) == {failed.id, done.id}
    kept = steps_of(done)["a"].output_data
    assert kept == {"$kept": {"file": str(files[done.id].pk), "bytes": files[done.id].size}}
    Artefact.objects.of(actor).filter(execution_id=failed.id).delete()
    assert Payloads(actor.organization_id, done.id).load(kept) == {"from": "a", "saw": "x" * 1000}


def test_nothing_dangles_when_the_earlier_execution_is_gone(actor: Actor, calls: Calls, runner: Runner) -> None:
    failed = broken(actor, calls)
    calls.wrong["b"] = Rejected("No.")
    second = ended(retry(actor, failed))
    Execution.unscoped.filter(id=failed.id).delete()
    calls.wrong.clear()
    assert plan(actor, second).kept_cost_usd == 0.0
    third = ended(retry(actor, second))
    assert (third.status, steps_of(third)["a"].output_data["from"]) == ("completed", "a")


def test_a_failure_that_the_run_went_on_from_is_kept(actor: Actor, calls: Calls, runner: Runner) -> None:
    definition = flow({"a": ("call", {"on_error": "route"}), "b": "call", "c": "call"}, "a.error > b", "b > c")
    calls.wrong["a"] = Rejected("No.")
    failed = broken(actor, calls, definition, at="b")
    done = ended(retry(actor, failed))
    assert (done.status, calls.made) == ("completed", Counter({"b": 1, "c": 1}))
    row = steps_of(done)["a"]
    assert (row.status, row.port, row.error_code, row.kept_from) == ("failed", "error", "rejected", failed.id)


def test_a_cancelled_run_goes_on_where_it_was(actor: Actor, calls: Calls, runner: Runner) -> None:
    definition = flow({"a": "call", "wait": ("delay", {"seconds": 3600}), "c": "call"}, "a > wait", "wait > c")
    accepted = start(actor, definition)
    until(lambda: "wait" in steps_of(accepted))
    services.cancel(actor=actor, execution_id=accepted.id)
    found = plan(actor, accepted)
    assert actions(found) == {"a": ("keep", "none"), "wait": ("run", "none"), "c": ("run", "first_time")}
    assert found.steps[1].reason == "It had not ended."


def test_a_run_in_which_nothing_failed_has_nothing_to_go_on_from(actor: Actor, calls: Calls, runner: Runner) -> None:
    done = ended(start(actor, chain()))
    with pytest.raises(RetryRefused, match="nothing failed"):
        retry(actor, done)
    assert Execution.unscoped.count() == 1


# -- from a step -----------------------------------------------------------------------------------------------------


def test_from_a_step_says_which_effects_are_repeated(actor: Actor, calls: Calls, runner: Runner) -> None:
    done = ended(start(actor, chain()))
    calls.made.clear()
    found = plan(actor, done, Wish(Mode.FROM, "b"))
    assert actions(found) == {
        "begin": ("keep", "none"),
        "a": ("keep", "none"),
        "b": ("run", "repeats"),
        "c": ("run", "repeats"),
    }
    assert [(each.node_id, each.receipt, each.effect_state) for each in found.repeated] == [
        ("b", "r-b", "confirmed"),
        ("c", "r-c", "confirmed"),
    ]
    assert (found.kept_cost_usd, found.estimated_cost_usd) == (0.25, 0.5)
    assert found.steps[2].reason == "You chose to begin here."
    assert ended(retry(actor, done, Wish(Mode.FROM, "b"))).status == "completed"
    assert calls.made == Counter({"b": 1, "c": 1})


def test_a_step_that_does_not_exist_is_refused(actor: Actor, calls: Calls, runner: Runner) -> None:
    done = ended(start(actor, chain()))
    for node_id in (None, "", "nowhere"):
        with pytest.raises(InvalidInput):
            retry(actor, done, Wish(Mode.FROM, node_id))
    assert Execution.unscoped.count() == 1


def test_a_merge_behind_the_chosen_step_runs_again_although_another_way_reaches_it(
    actor: Actor, calls: Calls, runner: Runner
) -> None:
    nodes = {"a": "start", "x": "call", "y": "call", "join": ("merge", {"mode": "first"}), "after": "call"}
    done = ended(start(actor, flow(nodes, "a > x", "a > y", "x > join", "y > join", "join > after")))
    found = plan(actor, done, Wish(Mode.FROM, "x"))
    assert {name: action for name, (action, _) in actions(found).items()} == {
        "a": "keep",
        "y": "keep",
        "x": "run",
        "join": "run",
        "after": "run",
    }


# -- changed inputs --------------------------------------------------------------------------------------------------


def test_changed_inputs_reach_the_steps_that_run_and_the_beginning(actor: Actor, calls: Calls, runner: Runner) -> None:
    definition = chain(b="{{ inputs.to }}", c="{{ steps.begin.to }}")
    failed = broken(actor, calls, definition, inputs={"to": "old"})
    found = plan(actor, failed, Wish(Mode.FAILED, inputs={"to": "new"}))
    assert actions(found)["begin"] == ("run", "none")
    assert found.warnings == [
        "What is kept was worked out with the earlier inputs; only the steps that run see the new ones."
    ]
    done = ended(retry(actor, failed, Wish(Mode.FAILED, inputs={"to": "new"}, context={"k": 1})))
    rows = steps_of(done)
    assert (rows["b"].output_data["saw"], rows["c"].output_data["saw"]) == ("new", "new")
    assert (done.input_data, done.context, rows["begin"].output_data) == ({"to": "new"}, {"k": 1}, {"to": "new"})
    assert (rows["begin"].kept_from, rows["a"].kept_from) == (None, failed.id)
    assert calls.made == Counter({"b": 1, "c": 1})


def branching(condition: str) -> dict[str, Any]:
    made = flow(
        {"a": "call", "small": "call", "big": "call", "end": "call"}, "a > small", "a > big", "small > end", "big > end"
    )
    for edge in made["edges"][:2]:
        edge["condition"] = condition if edge["target_node_id"] == "big" else f"!({condition})"
    return made


def test_conditions_after_kept_steps_are_looked_at_anew(actor: Actor, calls: Calls, runner: Runner) -> None:
    failed = broken(actor, calls, branching("inputs.n > 5"), at="end", inputs={"n": 1})
    assert list(steps_of(failed)) == ["a", "small", "end"]
    wish = Wish(Mode.FAILED, inputs={"n": 9})
    assert actions(plan(actor, failed, wish)) == {
        "a": ("keep", "none"),
        "big": ("run", "first_time"),
        "end": ("run", "first_time"),
    }
    done = ended(retry(actor, failed, wish))
    assert (done.status, list(steps_of(done)), calls.made) == (
        "completed",
        ["a", "big", "end"],
        Counter({"big": 1, "end": 1}),
    )
    assert steps_of(done)["a"].taken == ["a-big"]


def test_a_condition_that_fails_on_the_new_inputs_refuses_the_request(
    actor: Actor, calls: Calls, runner: Runner
) -> None:
    failed = broken(actor, calls, branching("inputs.n > 5"), at="end", inputs={"n": 1})
    with pytest.raises(RetryRefused, match=r"'a' cannot be kept: The condition of the edge 'a-"):
        retry(actor, failed, Wish(Mode.FAILED, inputs={"n": "many"}))
    assert Execution.unscoped.count() == 1


def test_inputs_that_are_too_large_are_refused_and_nothing_is_stored(
    actor: Actor, calls: Calls, runner: Runner
) -> None:
    failed = broken(actor, calls)
    with pytest.raises(InvalidInput):
        retry(actor, failed, Wish(Mode.FAILED, inputs={"big": "x" * (1024 * 1024)}))
    assert (Execution.unscoped.count(), ExecutionStep.objects.count()) == (1, 3)


# -- another version -------------------------------------------------------------------------------------------------


def changed(actor: Actor, workflow: Workflow, definition: dict[str, Any]) -> None:
    workflows.update_workflow(actor=actor, workflow_id=workflow.id, change=WorkflowChange(definition=definition))


def test_on_the_newest_version_a_step_with_other_settings_runs_again(
    actor: Actor, calls: Calls, runner: Runner
) -> None:
    workflow = save(actor, chain(a="one"))
    failed = broken(actor, calls, workflow, at="c")  # type: ignore[arg-type]
    changed(actor, workflow, chain(a="two"))
    assert actions(plan(actor, failed))["a"] == ("keep", "none")
    wish = Wish(Mode.FAILED, newest=True)
    found = plan(actor, failed, wish)
    assert (found.workflow_version, actions(found)) == (
        2,
        {
            "begin": ("keep", "none"),
            "a": ("run", "repeats"),
            "b": ("run", "repeats"),
            "c": ("run", "first_time"),
        },
    )
    assert [each.reason for each in found.steps][1:3] == [
        "Its settings are others in this version.",
        "What comes before it is no longer the same.",
    ]
    done = ended(retry(actor, failed, wish))
    assert (done.status, steps_of(done)["a"].output_data["saw"], done.version_id != failed.version_id) == (
        "completed",
        "two",
        True,
    )


def test_a_step_put_in_between_runs_and_so_does_what_follows(actor: Actor, calls: Calls, runner: Runner) -> None:
    workflow = save(actor, chain())
    failed = broken(actor, calls, workflow, at="c")  # type: ignore[arg-type]
    changed(actor, workflow, flow({**CHAIN, "new": "call"}, "begin > a", "a > new", "new > b", "b > c"))
    assert actions(plan(actor, failed, Wish(Mode.FAILED, newest=True))) == {
        "begin": ("keep", "none"),
        "a": ("keep", "none"),
        "b": ("run", "repeats"),
        "c": ("run", "first_time"),
        "new": ("run", "first_time"),
    }


def test_the_broken_step_is_mended_and_only_it_runs(actor: Actor, calls: Calls, runner: Runner) -> None:
    broken_one = flow({"a": "call", "b": ("data-transformation", {"set": {"x": "{{ inputs.gone.deep }}"}})}, "a > b")
    workflow = save(actor, broken_one)
    failed = ended(start(actor, workflow))
    assert failed.error_code == "expression"
    changed(actor, workflow, flow({"a": "call", "b": ("data-transformation", {"set": {"x": 1}})}, "a > b"))
    done = ended(retry(actor, failed, Wish(Mode.FAILED, newest=True)))
    assert (done.status, done.output_data, calls.made) == ("completed", {"x": 1}, Counter("a"))


def test_a_workflow_that_is_switched_off_does_not_run_again(actor: Actor, calls: Calls, runner: Runner) -> None:
    workflow = save(actor, chain())
    failed = broken(actor, calls, workflow)  # type: ignore[arg-type]
    workflows.set_active(actor=actor, workflow_id=workflow.id, active=False)
    with pytest.raises(WorkflowInactive):
        retry(actor, failed)
    assert Execution.unscoped.count() == 1


# -- whole, live, foreign, stale -------------------------------------------------------------------------------------


def test_a_live_execution_can_only_be_repeated_as_a_whole(actor: Actor, calls: Calls) -> None:
    accepted = start(actor, chain())
    for wish in (FAILED, Wish(Mode.FROM, "b")):
        with pytest.raises(ExecutionLive):
            retry(actor, accepted, wish)
    other = retry(actor, accepted, Wish(Mode.WHOLE))
    assert (other.rerun_of, steps_of(other), lines_of(other)) == (accepted.id, {}, [])
    assert fresh(accepted).status == "pending"


def test_nobody_runs_a_strangers_execution_again(actor: Actor, calls: Calls) -> None:
    accepted = start(actor, chain())
    stranger = person("eve@elsewhere.com")
    for act in (again.plan, again.retry):
        with pytest.raises(ExecutionNotFound):
            act(actor=stranger, execution_id=accepted.id, wish=Wish(Mode.WHOLE))
    assert Execution.unscoped.count() == 1


def test_a_plan_that_is_no_longer_right_is_refused(actor: Actor, calls: Calls, runner: Runner) -> None:
    workflow = save(actor, chain())
    failed = broken(actor, calls, workflow)  # type: ignore[arg-type]
    seen = plan(actor, failed, Wish(Mode.FAILED, newest=True)).plan_version
    assert plan(actor, failed, Wish(Mode.FAILED, newest=True)).plan_version == seen
    assert plan(actor, failed, Wish(Mode.FAILED, newest=True, inputs={"x": 1})).plan_version != seen
    changed(actor, workflow, chain(c="other"))
    with pytest.raises(PlanStale) as refused:
        retry(actor, failed, Wish(Mode.FAILED, newest=True), plan_version=seen)
    assert refused.value.details == {
        "given": seen,
        "current": plan(actor, failed, Wish(Mode.FAILED, newest=True)).plan_version,
    }
    assert Execution.unscoped.count() == 1


# -- effects of which nobody knows -----------------------------------------------------------------------------------


def in_doubt(actor: Actor, calls: Calls) -> tuple[Execution, int]:
    """An execution whose step b was sent and never answered, and the id of that effect."""
    calls.wrong["b"] = Unknown("No answer came.")
    failed = ended(start(actor, chain()))
    calls.wrong.clear()
    calls.made.clear()
    return failed, steps_of(failed)["b"].pk


@pytest.mark.parametrize("wish", [FAILED, Wish(Mode.WHOLE), Wish(Mode.FROM, "a")], ids=["failed", "whole", "from"])
def test_a_step_whose_effect_nobody_knows_is_not_run_again(
    actor: Actor, calls: Calls, runner: Runner, wish: Wish
) -> None:
    failed, effect = in_doubt(actor, calls)
    found = plan(actor, failed, wish)
    assert actions(found)["b"] == ("skip_unknown", "repeats")
    assert [each.effect_id for each in found.unknown] == [effect]
    with pytest.raises(EffectsUnknown, match="'b'") as refused:
        retry(actor, failed, wish)
    assert refused.value.details == {"effects": [{"id": effect, "node_id": "b", "key": f"{failed.id}/b/0"}]}
    assert (Execution.unscoped.count(), calls.made) == (1, Counter())


@pytest.mark.parametrize(("happened", "made"), [(True, Counter("c")), (False, Counter("bc"))])
def test_what_people_settled_decides(
    actor: Actor, calls: Calls, runner: Runner, happened: bool, made: Counter[str]
) -> None:
    failed, effect = in_doubt(actor, calls)
    seen = plan(actor, failed).plan_version
    effects.settle(actor=actor, effect_id=effect, happened=happened)
    with pytest.raises(PlanStale):
        retry(actor, failed, plan_version=seen)
    done = ended(retry(actor, failed))
    assert (done.status, calls.made) == ("completed", made)
    row = steps_of(done)["b"]
    if happened:
        assert (row.status, row.output_data, row.error_code) == ("completed", {"settled": "happened"}, "")
        assert (row.effect, row.kept_from) == ("settled_done", failed.id)
    else:
        assert (row.status, row.effect, row.kept_from) == ("completed", "confirmed", None)


def test_an_effect_that_took_place_before_its_condition_failed_is_called_repeated(
    actor: Actor, calls: Calls, runner: Runner
) -> None:
    definition = flow({"a": "call", "b": "call"}, "a > b")
    definition["edges"][0]["condition"] = "inputs.missing > 1"
    failed = ended(start(actor, definition))
    assert (failed.error_code, steps_of(failed)["a"].effect) == ("expression", "confirmed")
    assert actions(plan(actor, failed))["a"] == ("run", "repeats")


def test_a_step_with_no_effect_is_none(actor: Actor, add_node: Any, runner: Runner) -> None:
    add_node("think", lambda config, step: Failed("rejected", "No."), effect=Effect.REPEATABLE)
    failed = ended(start(actor, flow({"a": "think"})))
    [step] = plan(actor, failed).steps
    assert (step.action, step.effect, step.effect_id, step.effect_state) == ("run", "none", None, "")
    assert isinstance(plan(actor, failed).execution_id, UUID)
