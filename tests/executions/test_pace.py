"""A person's nodes ask models no faster than allowed: a run waits for its turn, holds no worker, and does not fail."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone

from ai import pace
from auterity.kernel import buckets
from auterity.kernel.access import Actor
from auterity.kernel.buckets import MemoryStore
from executions import explain, selectors
from executions.models import ExecutionStep
from executions.runner import Runner
from tests.executions.support import ended, flow, fresh, kinds_of, make_due, start, steps_of, until

ASK = flow({"ask": ("ai-text-processing", {"prompt": "Say hello"})})


@pytest.fixture(autouse=True)
def two_a_minute(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.RATE_LIMITS = True
    monkeypatch.setattr(pace, "A_MINUTE", 2)
    monkeypatch.setattr(buckets, "_STORES", {settings.REDIS_URL: MemoryStore()})


def test_the_third_call_of_a_minute_waits_for_its_turn(actor: Actor, runner: Runner) -> None:
    runs = [start(actor, ASK) for _ in range(3)]
    until(lambda: sum(steps_of(each).get("ask") is not None for each in runs) == 3)
    until(lambda: sum(fresh(each).status == "completed" for each in runs) == 2)
    (late,) = [each for each in runs if fresh(each).status != "completed"]
    until(lambda: steps_of(late)["ask"].waits_for == "pace")
    row = steps_of(late)["ask"]
    assert (fresh(late).status, row.status, row.attempt, row.error_code) == ("running", "waiting", 1, "")
    assert 20 < (row.due_at - row.started_at).total_seconds() < 50  # type: ignore[operator]
    told = selectors.view_of(fresh(late)).waiting_for
    assert told is not None
    assert (told["reason"], told["node_id"]) == ("pace", "ask")
    assert [each.kind for each in explain.explanation_of(fresh(late)).reasons][:1] == ["pace"]

    buckets._STORES.clear()  # A minute later.
    ExecutionStep.objects.filter(execution=late).update(due_at=timezone.now())
    make_due(late)
    assert ended(late).status == "completed"
    assert steps_of(late)["ask"].attempt == 1
    assert [kind for kind, _ in kinds_of(late)] == [
        "started", "step_started", "step_waiting", "step_started", "step_completed", "ended",
    ]  # fmt: skip


def test_each_person_has_turns_of_their_own(actor: Actor) -> None:
    assert [pace.seconds_to_wait(actor.user_id) > 0 for _ in range(3)] == [False, False, True]
    assert pace.seconds_to_wait(actor.organization_id) == 0  # somebody else


def test_runs_that_nobody_started_are_left_to_the_quota() -> None:
    assert {pace.seconds_to_wait(None) for _ in range(5)} == {0}
