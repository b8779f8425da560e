"""Counting in process, adding up in the database (decision 22).

Noting something costs an append to a queue: no lock, no database. Every few seconds, and at the end, the process adds what it
noted to the buckets, so that several processes and restarts add up; what a killed process had not added yet is lost.
"""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Generic, TypeVarTuple

import structlog
from django.db import connection, transaction

from executions import sql

log = structlog.get_logger(__name__)

BOUNDS = (5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000)  # milliseconds; 0 stands for above the last
MINUTE, HOUR, EVER = 60, 3600, 0
MOST_NOTED = 20_000  # notes that wait to be added up, when nobody flushes
MOST_KEYS = 50_000  # sums that wait for a database that is away; beyond, the newest are dropped
ROWS = 500  # rows one statement adds
EPOCH = dt.datetime.fromtimestamp(0, dt.UTC)

_Key = TypeVarTuple("_Key")
Sums = dict[tuple[Any, ...], list[float]]


class Series(Generic[*_Key]):
    """One table of buckets. `key` are its columns beside `span`, `at` and the figures; `spans` the buckets that are kept."""

    def __init__(self, table: str, key: Sequence[str], *, spans: Sequence[int], timed: bool) -> None:
        self.table, self.key, self.spans, self.timed = table, tuple(key), tuple(spans), timed
        self._noted: deque[tuple[int, float, int, tuple[Any, ...]]] = deque()
        self._sums: Sums = {}
        self._lock = threading.Lock()

    def note(self, *key: *_Key, ms: float = 0.0, count: int = 1) -> None:
        """Something happened now, `count` times. For any thread; never waits."""
        self._noted.append((int(time.time()) // 60 * 60, ms, count, key))
        if len(self._noted) > MOST_NOTED:
            self._add_up()

    @contextmanager
    def unflushed(self) -> Iterator[dict[tuple[Any, ...], tuple[int, float]]]:
        """What this process has noted and not yet added to the table: (minute, *key) to (count, milliseconds).

        It adds nothing meanwhile, so who reads the table inside counts nothing twice.
        """
        with self._lock:
            self._drain()
            yield {key: (int(count), ms) for key, (count, ms) in self._sums.items()}

    def flush(self) -> int:
        """Add what was noted to the table. Returns how many rows; when that fails, it is kept for the next time."""
        with self._lock:
            self._drain()
            if not self._sums:
                return 0
            rows = self._rows()
            with transaction.atomic():
                for start in range(0, len(rows), ROWS):
                    self._upsert(rows[start : start + ROWS])
            self._sums = {}
        return len(rows)

    # -- inside ------------------------------------------------------------------------------------------------------

    def _add_up(self) -> None:
        if self._lock.acquire(blocking=False):  # Else somebody is at it.
            try:
                self._drain()
            finally:
                self._lock.release()

    def _drain(self) -> None:
        dropped = 0
        while True:
            try:
                minute, ms, count, key = self._noted.popleft()
            except IndexError:
                break
            found = self._sums.get((minute, *key))
            if found is not None:
                found[0] += count
                found[1] += ms
            elif len(self._sums) < MOST_KEYS:
                self._sums[minute, *key] = [count, ms]
            else:
                dropped += count
        if dropped:
            log.warning("figures_dropped", table=self.table, count=dropped)

    def _rows(self) -> list[tuple[Any, ...]]:
        """For each span, in one order: two processes that add to the same rows never wait in a ring."""
        sums: Sums = {}
        for (minute, *key), (count, ms) in self._sums.items():
            for span in self.spans:
                at = minute // span * span if span else 0
                found = sums.setdefault((span, at, *key), [0, 0.0])
                found[0] += count
                found[1] += ms
        return [
            (span, dt.datetime.fromtimestamp(at, dt.UTC), *key, int(count), *([ms] if self.timed else []))
            for (span, at, *key), (count, ms) in sorted(sums.items(), key=lambda each: tuple(map(str, each[0])))
        ]

    def _upsert(self, rows: Sequence[tuple[Any, ...]]) -> None:
        figures = ("count", "ms") if self.timed else ("count",)
        keys = ("span", "at", *self.key)
        columns = ", ".join((*keys, *figures))
        line = "(" + ", ".join(["%s"] * (len(keys) + len(figures))) + ")"
        added = ", ".join(f"{name} = {self.table}.{name} + EXCLUDED.{name}" for name in figures)
        text = (
            f"INSERT INTO {self.table} ({columns}) VALUES {', '.join([line] * len(rows))} "  # noqa: S608  Every part is ours.
            f"ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {added}"
        )
        with connection.cursor() as cursor:
            cursor.execute(text, [sql.value(each) for row in rows for each in row])


def bound_of(ms: float) -> int:
    """The bucket of a duration: the smallest bound that is not below it, or 0."""
    for bound in BOUNDS:
        if ms <= bound:
            return bound
    return 0


REQUESTS: Series[str, str, str, int, int] = Series(
    "request_buckets", ("dialect", "route", "method", "status", "le"), spans=(MINUTE, HOUR, EVER), timed=True
)
ORGANIZATION_REQUESTS: Series[Any, str, int, int] = Series(
    "organization_request_buckets", ("organization_id", "dialect", "status", "le"), spans=(MINUTE, HOUR), timed=True
)
RUNS: Series[Any, str] = Series("run_buckets", ("organization_id", "status"), spans=(MINUTE, HOUR), timed=False)
EVERY = (REQUESTS, ORGANIZATION_REQUESTS, RUNS)


def flush() -> None:
    """Add what this process has noted of everything."""
    for series in EVERY:
        series.flush()
