"""Running again in part is refused: nothing to go on from, an old plan, somebody else's, effects of which nobody knows."""

from __future__ import annotations

from collections import Counter

import pytest

from auterity.kernel.access import Actor
from auterity.kernel.errors import InvalidInput
from engine.ports import Unknown
from executions import again, effects
from executions.errors import EffectsUnknown, ExecutionLive, ExecutionNotFound, PlanStale, RetryRefused
from executions.models import Execution
from executions.retry_plan import Mode, Wish
from executions.runner import Runner
from tests.executions.retrying import FAILED, Calls, actions, broken, chain, changed, plan, retry
from tests.executions.support import ended, fresh, lines_of, person, save, start, steps_of
from workflows import services as workflows
from workflows.errors import WorkflowInactive


def test_a_run_in_which_nothing_failed_has_nothing_to_go_on_from(actor: Actor, calls: Calls, runner: Runner) -> None:
    done = ended(start(actor, chain()))
    with pytest.raises(RetryRefused, match="nothing failed"):
        retry(actor, done)
    assert Execution.unscoped.count() == 1


def test_a_step_that_does_not_exist_is_refused(actor: Actor, calls: Calls, runner: Runner) -> None:
    done = ended(start(actor, chain()))
    for node_id in (None, "", "nowhere"):
        with pytest.raises(InvalidInput):
            retry(actor, done, Wish(Mode.FROM, node_id))
    assert Execution.unscoped.count() == 1


def test_a_workflow_that_is_switched_off_does_not_run_again(actor: Actor, calls: Calls, runner: Runner) -> None:
    workflow = save(actor, chain())
    failed = broken(actor, calls, workflow)  # type: ignore[arg-type]
    workflows.set_active(actor=actor, workflow_id=workflow.id, active=False)
    with pytest.raises(WorkflowInactive):
        retry(actor, failed)
    assert Execution.unscoped.count() == 1


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
