"""Executions that take their worker process down with them are given up; those beside them are not (G10)."""

from __future__ import annotations

from pathlib import Path

import pytest

from auterity.kernel.access import Actor
from executions.models import LIVE, Execution
from tests.executions.support import flow, fresh, kinds_of, save, start, steps_of, until
from tests.executions.trial_nodes import trial_nodes
from tests.executions.workers import worker


@pytest.mark.parametrize("deadly", ["exit", "exit-outside"])
def test_a_deadly_execution_is_given_up_and_its_neighbours_complete(actor: Actor, tmp_path: Path, deadly: str) -> None:
    crashes = 0
    with trial_nodes(), worker("embedded", tmp_path / "log", lease_seconds=1.5, poll_seconds=0.05) as process:
        harmless = save(
            actor,
            flow({"a": "start", "b": "note"}, "a > b")
            | {
                "nodes": [
                    {"id": "a", "type": "start"},
                    {"id": "b", "type": "note", "config": {"value": str(tmp_path / "notes")}},
                ]
            },
        )
        before = [start(actor, harmless).id for _ in range(10)]
        poison = start(actor, flow({"a": "start", "b": deadly}, "a > b"))
        after = [start(actor, harmless).id for _ in range(10)]
        process.start()

        def all_ended() -> bool:
            nonlocal crashes
            if process.exit_code == 9:
                crashes += 1
                process.start()
            return not Execution.unscoped.filter(status__in=LIVE).exists()

        until(all_ended, 100, "the end of all executions")
        assert process.stop() == 0, (tmp_path / "log").read_text()

    assert {each.status for each in Execution.unscoped.filter(id__in=before + after)} == {"completed"}
    assert sorted((tmp_path / "notes").read_text().split()) == sorted(f"{each}/b/0" for each in before + after)
    done = fresh(poison)
    assert (done.status, done.error_code) == ("failed", "POISON")
    assert done.error_message == (
        "Given up after 5 workers took this execution and none of them recorded any progress."
    )
    if deadly == "exit":
        assert (crashes, steps_of(done), kinds_of(done)) == (5, {}, [("ended", None)])
    else:
        assert crashes == 6  # The first worker did record something: that it was about to begin.
        assert {name: row.status for name, row in steps_of(done).items()} == {"a": "completed", "b": "cancelled"}
