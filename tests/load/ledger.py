"""What became of accepted executions, read back from the database: lost, recorded twice, changed after their end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import Any
from uuid import UUID

BATCH = 500


def verdict(accepted: Collection[UUID], *, may_fail: Collection[str] = ()) -> dict[str, int]:
    """Figures that must all be 0. `may_fail` are error codes with which an execution may have ended as failed."""
    from executions.models import Execution, ExecutionLog, ExecutionStep

    ids, found = list(accepted), Counter[str]()
    for begin in range(0, len(ids), BATCH):
        part = ids[begin : begin + BATCH]
        rows = {row.id: row for row in Execution.unscoped.filter(id__in=part).only("status", "error_code", "seq")}
        found["lost"] += len(part) - len(rows)
        for row in rows.values():
            good = row.status == "completed" or (row.status == "failed" and row.error_code in may_fail)
            found["not_ended_well"] += not good
        steps = ExecutionStep.objects.filter(execution_id__in=part).values_list("execution_id", "node_id", "iteration")
        found["steps_recorded_twice"] += surplus(steps)
        found["steps_left_open"] += ExecutionStep.objects.filter(
            execution_id__in=part, status__in=("running", "waiting")
        ).count()
        lines = list(
            ExecutionLog.unscoped.filter(execution_id__in=part).values_list("execution_id", "seq", "kind", "node_id")
        )
        found["lines_recorded_twice"] += surplus((run, number) for run, number, *_ in lines)
        found["steps_completed_twice"] += surplus(
            (run, node) for run, _, kind, node in lines if kind == "step_completed"
        )
        ends = Counter(run for run, _, kind, _ in lines if kind == "ended")
        found["ended_not_once"] += sum(ends[each] != 1 for each in rows)
        counted = Counter(run for run, *_ in lines)
        found["journals_with_gaps"] += sum(counted[row.id] != row.seq for row in rows.values())
    return dict(found)


def surplus(items: Any) -> int:
    """How many items are there more than once, each repeat counted."""
    return sum(times - 1 for times in Counter(items).values())


class Ends:
    """Terminal states as they were seen; `changed` tells how many are different now."""

    def __init__(self) -> None:
        self._seen: dict[UUID, tuple[Any, ...]] = {}

    def look(self) -> None:
        from executions.models import LIVE, Execution

        rows = Execution.unscoped.exclude(status__in=LIVE).values_list("id", "status", "completed_at", "seq", "fence")
        for identity, *ended in rows:
            self._seen.setdefault(identity, tuple(ended))

    @property
    def seen(self) -> int:
        return len(self._seen)

    def changed(self) -> int:
        from executions.models import Execution

        now = {
            identity: tuple(ended)
            for identity, *ended in Execution.unscoped.values_list("id", "status", "completed_at", "seq", "fence")
        }
        return sum(now.get(identity) != ended for identity, ended in self._seen.items())
