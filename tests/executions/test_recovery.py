"""A worker vanished between an effect's intent and its result: what the next one does with the step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from auterity.kernel.access import Actor
from engine.node import Done, Effect, Failed, Outcome
from engine.ports import Unavailable, Unknown
from executions import claims, gateway, journal
from executions.active import Active
from executions.models import Execution
from executions.runner import Runner
from tests.executions.support import ended, flow, kinds_of, make_due, registered, start, steps_of
from workflows.plans import plan_of


class Effects:
    """How often the effect was performed, and under which keys."""

    def __init__(self) -> None:
        self.keys: list[str] = []

    def __call__(self, config: Any, step: Any) -> Outcome:
        self.keys.append(step.key)
        return Done(f"attempt {step.attempt}")


@pytest.fixture
def effects() -> Effects:
    return Effects()


def interrupted(actor: Actor, definition: dict[str, Any]) -> Execution:
    """An execution whose worker committed the intent of a step and was never seen again."""
    accepted = start(actor, definition)
    [held] = claims.claim(owner="gone", limit=1, lease=30.0)
    plan = plan_of(held.version_id)
    about = {"execution": {"id": str(held.id)}, "workflow": plan.workflow, "organization": plan.organization}
    active = Active.take_up(held, plan.graph, about, gateway.ports_of(held.organization_id))
    active.drive()
    assert active.begin(9)
    assert set(journal.commit([active.checkpoint(owner="gone", lease=30.0)])) == {accepted.id}
    make_due(accepted)
    return accepted


@pytest.mark.parametrize("effect", [Effect.KEYED, Effect.REPEATABLE])
def test_a_keyed_effect_is_repeated_with_the_same_key(
    actor: Actor, add_node: Any, effects: Effects, start_runner: Callable[[], Runner], effect: Effect
) -> None:
    add_node("call", effects, effect=effect)
    held = interrupted(actor, flow({"a": "call", "b": "start"}, "a > b"))
    start_runner()
    done = ended(held)
    assert (done.status, done.fence) == ("completed", 2)
    assert effects.keys == [f"{done.id}/a/0"]
    assert steps_of(done)["a"].attempt == 1
    assert kinds_of(done) == [
        ("started", None),
        ("step_started", "a"),
        ("step_started", "a"),
        ("step_completed", "a"),
        ("step_completed", "b"),
        ("ended", None),
    ]


def look_up(answer: Any) -> Callable[[Any, Any], Outcome | None]:
    def lookup(config: Any, step: Any) -> Outcome | None:
        if isinstance(answer, Exception):
            raise answer
        return answer

    return lookup


def recovered(
    actor: Actor, add_node: Any, start_runner: Any, effects: Effects, answer: Any, **settings: Any
) -> Execution:
    lookup = None if answer is NotImplemented else look_up(answer)
    add_node("mail", effects, effect=Effect.UNKEYED, lookup=lookup)
    held = interrupted(actor, flow({"a": ("mail", settings)}))
    start_runner()
    return ended(held)


def test_an_effect_that_took_place_is_not_repeated(
    actor: Actor, add_node: Any, effects: Effects, start_runner: Any
) -> None:
    done = recovered(actor, add_node, start_runner, effects, Done("it was sent"))
    assert (done.status, done.output_data, effects.keys) == ("completed", {"result": "it was sent"}, [])


def test_an_effect_that_surely_did_not_take_place_is_performed(
    actor: Actor, add_node: Any, effects: Effects, start_runner: Any
) -> None:
    done = recovered(actor, add_node, start_runner, effects, None)
    assert (done.status, effects.keys) == ("completed", [f"{done.id}/a/0"])


def test_an_effect_that_is_known_to_have_failed_fails(
    actor: Actor, add_node: Any, effects: Effects, start_runner: Any
) -> None:
    done = recovered(actor, add_node, start_runner, effects, Failed("rejected", "It bounced."))
    assert (done.status, done.error_code, effects.keys) == ("failed", "rejected", [])


RETRY = {"retry": {"max_attempts": 5, "backoff_seconds": 0, "jitter": False}}


@pytest.mark.parametrize(
    ("answer", "settings"),
    [
        (NotImplemented, {}),
        (Unknown("Nobody knows."), {}),
        (Unavailable("The mail server is away."), RETRY),
        (RuntimeError("a defect"), {}),
    ],
    ids=["no look-up", "unknown", "unavailable", "crash"],
)
def test_an_effect_nobody_can_tell_about_is_never_repeated_blindly(
    actor: Actor, add_node: Any, effects: Effects, start_runner: Any, answer: Any, settings: Any
) -> None:
    done = recovered(actor, add_node, start_runner, effects, answer, **settings)
    assert (done.status, done.error_code, effects.keys) == ("failed", "unknown_outcome", [])
    row = steps_of(done)["a"]
    assert (row.status, row.error_code, row.attempt) == ("failed", "unknown_outcome", 1)
    assert row.error_message.startswith("The worker stopped while 'a' was under way, and nobody can tell")


def test_a_node_may_say_that_repeating_is_better(
    actor: Actor, add_node: Any, effects: Effects, start_runner: Any
) -> None:
    done = recovered(actor, add_node, start_runner, effects, Unknown("?"), on_unknown="retry")
    assert (done.status, effects.keys) == ("completed", [f"{done.id}/a/0"])


def test_of_parallel_effects_each_is_recovered_by_its_own_kind(
    actor: Actor, add_node: Any, effects: Effects, start_runner: Any
) -> None:
    add_node("call", effects, effect=Effect.KEYED)
    add_node("mail", effects, effect=Effect.UNKEYED, lookup=look_up(Done("found")))
    held = interrupted(actor, flow({"begin": "start", "a": "call", "b": "mail"}, "begin > a", "begin > b"))
    start_runner()
    done = ended(held)
    assert done.output_data == {"a": "attempt 1", "b": "found"}
    assert effects.keys == [f"{done.id}/a/0"]


def test_a_definition_that_no_longer_compiles_fails_the_execution(
    actor: Actor, add_node: Any, start_runner: Any
) -> None:
    with registered("withdrawn", lambda config, step: Done(None)):
        accepted = start(actor, flow({"a": "withdrawn"}))
    plan_of.cache_clear()
    start_runner()
    done = ended(accepted)
    assert (done.status, done.error_code) == ("failed", "DEFINITION")
    assert done.error_message.startswith("The definition cannot run: nodes.a.type: 'withdrawn' is not a node type")
