"""Running again in part with other inputs, or on the newest version: what they change runs again, and what follows it."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from auterity.kernel.access import Actor
from auterity.kernel.errors import InvalidInput
from executions.errors import RetryRefused
from executions.models import Execution, ExecutionStep
from executions.retry_plan import Mode, Wish
from executions.runner import Runner
from tests.executions.retrying import CHAIN, Calls, actions, broken, chain, changed, plan, retry
from tests.executions.support import ended, flow, save, start, steps_of

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
