"""`kill -9` of real worker processes in the middle of their work: nothing is lost, nothing is recorded twice (G1, G2)."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from auterity.kernel.access import Actor
from executions.models import LIVE, Execution, ExecutionLog, ExecutionStep, WorkflowFigures
from tests.executions.support import flow, save, start, until
from tests.executions.trial_nodes import trial_nodes
from tests.executions.workers import Sink, Worker, worker

EXECUTIONS = 200
KILL_AFTER = [60, 150, 240, 330, 420]  # calls that the other side has received
SLOTS = 16


def dag(sink: Sink, notes: Path) -> dict[str, Any]:
    """Pure steps, two keyed calls side by side, an unkeyed effect, a decision, and one more call."""
    call = ("api-integration", {"method": "POST", "url": sink.url, "body": {"n": "{{ inputs.n }}"}})
    return flow(
        {
            "begin": "start",
            "prepare": ("data-transformation", {"set": {"n": "{{ input.n }}"}}),
            "left": call,
            "right": call,
            "note": ("note", {"value": str(notes)}),
            "decide": ("decision-logic", {"condition": "inputs.n % 2 == 0"}),
            "even": ("data-transformation", {"set": {"kind": "even"}}),
            "odd": ("data-transformation", {"set": {"kind": "odd"}}),
            "last": call,
            "result": (
                "data-transformation",
                {"set": {"n": "{{ steps.last.body.n }}", "sum": "{{ steps.left.body.n + steps.right.body.n }}"}},
            ),
        },
        "begin > prepare",
        "prepare > left",
        "prepare > right",
        "left > note",
        "right > note",
        "note > decide",
        "decide.true > even",
        "decide.false > odd",
        "even > last",
        "odd > last",
        "last > result",
    )


def kill_in_the_middle(process: Worker, sink: Sink) -> list[int]:
    """Kill and restart it again and again. Returns how many executions it held each time."""
    held = []
    for calls in KILL_AFTER:
        process.start()
        until(lambda calls=calls: sink.calls >= calls, 40, f"call {calls}")  # type: ignore[misc]
        process.kill()
        held.append(Execution.unscoped.filter(status__in=LIVE).exclude(lease_owner="").count())
    return held


@pytest.mark.parametrize("kind", ["embedded", pytest.param("celery", marks=pytest.mark.postgres)])
def test_killed_workers_lose_nothing_and_record_nothing_twice(
    actor: Actor, tmp_path: Path, settings: Any, kind: str
) -> None:
    settings.EGRESS_ALLOW = ["127.0.0.1"]
    notes = tmp_path / "notes"
    engine = {"lease_seconds": 1.5, "claim_batch": 10, "effect_threads": SLOTS}
    with Sink(0.02) as sink, trial_nodes(), worker(kind, tmp_path / "log", **engine) as process:
        workflow = save(actor, dag(sink, notes))
        accepted = [start(actor, workflow, {"n": n}).id for n in range(EXECUTIONS)]
        held = kill_in_the_middle(process, sink)
        process.start()
        until(lambda: not Execution.unscoped.filter(status__in=LIVE).exists(), 60, "the end of all executions")
        assert process.stop() == 0, (tmp_path / "log").read_text()

    assert len(held) == len(KILL_AFTER)
    assert min(held) > 0, f"a kill hit nobody at work: {held}"
    rows = Execution.unscoped.in_bulk(accepted)
    assert [(rows[each].status, rows[each].output_data) for each in accepted] == [
        ("completed", {"n": n, "sum": 2 * n}) for n in range(EXECUTIONS)
    ]
    assert_recorded_once(accepted)
    keyed = {f"{each}/{node}/0" for each in accepted for node in ("left", "right", "last")}
    assert set(sink.keys) == keyed
    repeated = [key for key, times in sink.keys.items() if times > 1]
    assert len(repeated) <= SLOTS * len(KILL_AFTER)
    assert Counter(notes.read_text().split()) == Counter(f"{each}/note/0" for each in accepted)
    print(json.dumps({"worker": kind, "held_when_killed": held, "calls": sink.calls, "repeated": len(repeated)}))


def assert_recorded_once(accepted: list[Any]) -> None:
    """Every step of every execution once, a journal without gaps or second ends, and figures that agree."""
    steps = list(ExecutionStep.objects.values_list("execution_id", "node_id", "iteration", "status"))
    assert len(steps) == len(set(steps)) == 9 * EXECUTIONS
    assert {status for *_, status in steps} == {"completed"}
    expected = {
        (each, node)
        for n, each in enumerate(accepted)
        for node in (
            *("begin", "prepare", "left", "right", "note", "decide", "last", "result"),
            "odd" if n % 2 else "even",
        )
    }
    assert {(execution, node) for execution, node, *_ in steps} == expected
    ended = Counter(ExecutionLog.unscoped.filter(kind="ended").values_list("execution_id", flat=True))
    assert ended == Counter(accepted)
    finished = Counter(ExecutionLog.unscoped.filter(kind="step_completed").values_list("execution_id", "node_id"))
    assert finished == Counter(expected)
    numbers: dict[Any, list[int]] = {each: [] for each in accepted}
    for execution, number in ExecutionLog.unscoped.order_by("seq").values_list("execution_id", "seq"):
        numbers[execution].append(number)
    assert all(each == list(range(1, len(each) + 1)) for each in numbers.values())
    assert WorkflowFigures.objects.get().completed == EXECUTIONS
