"""The end of an organization's log, as far as a process has read it: what comes next, and how far each execution has come."""

from __future__ import annotations

import datetime as dt
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from uuid import UUID

from django.utils import timezone

from api.auterity import client_marks, organization_log
from api.auterity.organization_log import Batch, Entry
from api.frames import written
from auterity.kernel.live import Fact
from auterity.kernel.models import first_id_of
from executions import organization_lines
from monitoring.alerts import fact_of
from monitoring.selectors import alerts_moved_since

SLACK = dt.timedelta(seconds=30)  # more than a look, a transaction and a difference between clocks
KNOWN = dt.timedelta(seconds=120)  # that an execution is remembered after its last line
LATELY = dt.timedelta(seconds=15)
BRIDGED = 500_000  # lines that are appended at once when a log is followed again
PAGE = 5_000
ALERTS_KNOWN = 200


class Tail:
    """Of an execution that it does not remember, the log has every line that was made before `_since`."""

    def __init__(self, organization_id: UUID) -> None:
        self._organization_id = organization_id
        self.number = 0
        self._total = 0
        self._since = timezone.now() - LATELY
        self._reached: OrderedDict[str, tuple[int, dt.datetime]] = OrderedDict()
        self._begun = self._since  # of alerts, those since then are told
        self._alerts: OrderedDict[tuple[str, bool], None] = OrderedDict()

    # -- what it knows ---------------------------------------------------------------------------------------------------

    def knows(self, execution_id: str) -> bool:
        return execution_id in self._reached

    def reached(self, execution_id: str) -> int:
        return self._reached.get(execution_id, (0, None))[0]

    def covers(self, execution_id: str, seq: int) -> bool:
        return seq <= self.reached(execution_id)

    def has_alert(self, fact: Fact) -> bool:
        return alert_key(fact) in self._alerts

    def next(self, entries: list[Entry], lines: int) -> Batch:
        return Batch(self.number + 1, self._total + lines, timezone.now(), entries)

    def apply(self, batch: Batch) -> None:
        for known in batch.named("gap"):
            self._reached.clear()
            self._begun = batch.at
            self._since = max(self._since, batch.at - LATELY)
            for execution_id, seq in known:
                self._set(execution_id, seq, batch.at)
        for execution_id, _, last in batch.runs():
            self._set(execution_id, last, batch.at)
        for fact in batch.named("alert"):
            self._alerts[alert_key(fact)] = None
            if len(self._alerts) > ALERTS_KNOWN:
                self._alerts.popitem(last=False)
        self.number, self._total = batch.number, batch.total
        self._forget(batch.at - KNOWN)

    def learn(self, unknown: Mapping[UUID, int], first: Mapping[UUID, int]) -> None:
        """Of these, the log has what comes before their first line since `_since`, or before the first that was heard."""
        for execution_id, heard in unknown.items():
            self._set(str(execution_id), min(heard, first.get(execution_id, heard)) - 1, timezone.now())

    # -- what the database knows -----------------------------------------------------------------------------------------

    def read(self) -> bool:
        """Begin at the log's end. False when there is none from which one could go on."""
        newest = organization_log.newest(self._organization_id)
        if newest is None:
            return False
        self.number, self._total = newest.number, newest.total
        self._since = since = newest.at - SLACK
        if newest.at < timezone.now() - KNOWN and not client_marks.anybody(self._organization_id):
            return False  # Nobody follows it, and nobody could ask for what was missed.
        if organization_lines.count_since(self._organization_id, since, most=BRIDGED + 1) > BRIDGED:
            return False
        self._begun = since
        for batch in organization_log.since(self._organization_id, since - SLACK):
            self.apply(batch)
        return True

    def gap(self) -> Batch:
        """A batch that says: here lines are missing. It names how far each execution has come that moved lately."""
        known: dict[str, int] = {}
        for execution_id, seq in self.moved_lately():
            known[execution_id] = max(seq, known.get(execution_id, 0))
        return self.next([{"gap": sorted(known.items())}], 0)

    def moved_lately(self) -> list[tuple[str, int]]:
        return [place for page in self._made_since(timezone.now() - LATELY) for place in page]

    def alerts_lately(self) -> list[Fact]:
        return self._alerts_since(max(timezone.now() - LATELY, self._begun))

    def alerts_since_then(self) -> list[Fact]:
        return self._alerts_since(self._begun)

    def since_then(self) -> Iterator[list[tuple[str, int]]]:
        """Pages of the lines that were made since shortly before the log's end."""
        return self._made_since(self._since)

    def first_seqs(self, execution_ids: Mapping[UUID, int]) -> dict[UUID, int]:
        return organization_lines.first_seqs(self._organization_id, execution_ids, self._since)

    # -- inside ----------------------------------------------------------------------------------------------------------

    def _made_since(self, moment: dt.datetime) -> Iterator[list[tuple[str, int]]]:
        last = first_id_of(moment)
        while rows := organization_lines.made_after(self._organization_id, last, limit=PAGE):
            yield [(str(execution_id), seq) for _, execution_id, seq in rows]
            if len(rows) < PAGE:
                return
            last = rows[-1][0]

    def _alerts_since(self, since: dt.datetime) -> list[Fact]:
        told = []
        for alert in alerts_moved_since(since):
            moments = ((alert.created_at, False), (alert.resolved_at, True))
            about = fact_of(alert)
            told += [
                {**about, "resolved": resolved, "at": written(at.astimezone(dt.UTC))}
                for at, resolved in moments
                if at is not None and at >= since
            ]
        return told

    def _set(self, execution_id: str, seq: int, at: dt.datetime) -> None:
        self._reached[execution_id] = (seq, at)
        self._reached.move_to_end(execution_id)

    def _forget(self, before: dt.datetime) -> None:
        """Executions that have been still for long; with them goes what was known of all until then."""
        while self._reached:
            execution_id, (_, at) = next(iter(self._reached.items()))
            if at >= before:
                return
            del self._reached[execution_id]
            self._since = max(self._since, at)


def alert_key(fact: Fact) -> tuple[str, bool]:
    """An alert is opened once and resolved once."""
    return str(fact.get("alert_id")), bool(fact.get("resolved"))
