"""`schedule-trigger`."""

from __future__ import annotations

from typing import Any

import pytest

from engine.configuration import check_config
from engine.node import Done
from engine.registry import NODES
from engine.testing import FakeStep, problems_of, run_node

DAILY = {"cron": "30 8 * * 1-5", "timezone": "America/Chicago"}


def test_it_says_for_when_it_was_due_and_when_it_fired() -> None:
    inputs = {"scheduled_for": "2026-06-01T13:30:00Z", "fired_at": "2026-06-01T13:30:00.412Z", "region": "north"}
    assert run_node("schedule-trigger", DAILY, FakeStep(inputs=inputs)) == Done(
        {"scheduled_for": "2026-06-01T13:30:00Z", "fired_at": "2026-06-01T13:30:00.412Z"}
    )


@pytest.mark.parametrize("inputs", [{}, {"scheduled_for": 5, "fired_at": ""}])
def test_run_by_hand_both_are_now(inputs: dict[str, Any]) -> None:
    step = FakeStep(inputs=inputs, now="2026-11-20T09:00:00Z")
    assert run_node("schedule-trigger", DAILY, step) == Done(
        {"scheduled_for": "2026-11-20T09:00:00Z", "fired_at": "2026-11-20T09:00:00Z"}
    )


def test_it_begins_a_run_and_is_recomputed_freely() -> None:
    node_type = NODES.get("schedule-trigger")
    assert node_type.trigger
    assert node_type.pure


@pytest.mark.parametrize(
    "config", [DAILY, {"every_seconds": 60}, {"every_seconds": 1, "misfire": "all", "max_catch_up": 5}]
)
def test_a_good_rule(config: dict[str, Any]) -> None:
    assert problems_of("schedule-trigger", config) == []
    assert check_config(NODES.get("schedule-trigger"), config).errors == []


def test_a_bad_rule_is_named_when_it_is_saved() -> None:
    assert [field for field, _ in problems_of("schedule-trigger", {"cron": "every day"})] == ["cron"]
    assert [field for field, _ in problems_of("schedule-trigger", {})] == ["cron"]
    found = check_config(NODES.get("schedule-trigger"), {"cron": "* * * * *", "timezone": "Chicago/America"})
    assert [field for field, _ in found.errors] == ["timezone"]


def test_nothing_in_it_is_a_template() -> None:
    template = check_config(NODES.get("schedule-trigger"), {**DAILY, "inputs": {"text": "{{ a }}"}}).template
    assert template.expressions == ()
    assert template.kept["inputs"] == {"text": "{{ a }}"}
