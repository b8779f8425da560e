"""Running again in part: what is done is kept, and what would be repeated is said."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import Any
from uuid import UUID

from artefacts.models import Artefact
from auterity.kernel.access import Actor
from engine.node import Effect, Failed
from engine.ports import Rejected
from executions import services
from executions.models import Execution, LogKind
from executions.payloads import Payloads
from executions.retry_plan import Mode, Wish
from executions.runner import Runner
from tests.executions.retrying import Calls, actions, broken, chain, plan, retry
from tests.executions.support import ended, flow, lines_of, start, steps_of, until


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
