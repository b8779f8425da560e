"""What a process has heard of an organization and has not seen in its log yet, in the order in which it was heard."""

from __future__ import annotations

from collections import deque
from uuid import UUID

from api.auterity.log_tail import Tail, alert_key
from api.auterity.organization_log import Entry
from api.frames import now
from auterity.kernel.live import Fact


class Pending:
    """Lines by their places, of each execution up to the newest that was heard; and alerts."""

    def __init__(self) -> None:
        self._runs: deque[tuple[str, int]] = deque()  # an execution, and up to which line
        self._newest: dict[str, int] = {}
        self._first: dict[str, int] = {}
        self._alerts: dict[tuple[str, bool], Fact] = {}

    def __bool__(self) -> bool:
        return bool(self._runs or self._alerts)

    def line(self, execution_id: str, seq: int) -> None:
        if seq <= self._newest.get(execution_id, 0):
            return
        self._newest[execution_id] = seq
        self._first.setdefault(execution_id, seq)
        if self._runs and self._runs[-1][0] == execution_id:
            self._runs.pop()
        self._runs.append((execution_id, seq))

    def alert(self, fact: Fact) -> None:
        self._alerts.setdefault(alert_key(fact), {**fact, "at": fact.get("at") or now()})

    def unknown(self, tail: Tail) -> dict[UUID, int]:
        """Executions that the log's end says nothing about, with the first line that was heard of each."""
        return {UUID(each): seq for each, seq in self._first.items() if seq > 1 and not tail.knows(each)}

    def entries(self, tail: Tail, most: int) -> tuple[list[Entry], int]:
        """The next batch of at most so many lines, and how many they are. What the log has by now is dropped."""
        self._alerts = {key: fact for key, fact in self._alerts.items() if not tail.has_alert(fact)}
        entries: list[Entry] = [{"alert": fact} for fact in self._alerts.values()]
        reached: dict[str, int] = {}
        lines = 0
        for execution_id, upto in self._kept_runs(tail):
            first = reached.get(execution_id, tail.reached(execution_id)) + 1
            last = min(upto, first + most - lines - 1)
            if last >= first:
                entries.append([execution_id, first, last])
                reached[execution_id] = last
                lines += last - first + 1
            if lines >= most:
                break
        return entries, lines

    # -- inside ------------------------------------------------------------------------------------------------------

    def _kept_runs(self, tail: Tail) -> list[tuple[str, int]]:
        """Without those that the log covers."""
        while self._runs and tail.covers(*self._runs[0]):
            execution_id, upto = self._runs.popleft()
            if self._newest.get(execution_id) == upto:
                del self._newest[execution_id], self._first[execution_id]
        return list(self._runs)
