"""What a client has been sent, again: counted from a mark of its stream along the organization's log (decision 37)."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from api.auterity import client_marks, organization_log
from api.auterity.organization_log import Lost
from auterity.kernel.live import Fact


class Replay:
    """The frames of one stream after a sequence number, a page at a time. `at` is the last one handed out."""

    def __init__(self, organization_id: UUID, stream_id: UUID, seq: int) -> None:
        self._organization_id, self._stream_id = organization_id, stream_id
        self.at = seq
        self._mark: client_marks.Mark | None = None
        self._seq = self._number = 0

    def more(self) -> list[Fact]:
        """The next frames; none when the log ends here. Raises `Lost` when they are no longer kept. Asks the database."""
        if self._mark is None:
            self._begin()
        frames: list[Fact] = []
        while not frames:
            page = organization_log.page(self._organization_id, self._number - 1)
            if not page:
                break
            marks = client_marks.between(self._organization_id, self._stream_id, self._number, page[-1][0].number)
            for batch, events in page:
                self._pass(marks.get(batch.number), events, frames)
                self._number = batch.number + 1
        if frames:
            self.at = frames[-1]["seq"]
        return frames

    def _begin(self) -> None:
        mark = client_marks.last_before(self._organization_id, self._stream_id, self.at)
        if mark is None:
            raise Lost(self.at)
        self._mark, self._seq, self._number = mark, mark.seq, mark.number

    def _pass(self, mark: client_marks.Mark | None, events: list[organization_log.Event], frames: list[Fact]) -> None:
        if mark is not None:
            if mark.seq != self._seq:
                raise Lost(self._seq)
            self._mark = mark
        assert self._mark is not None  # noqa: S101  `_begin` comes first.
        for kind, fact in events:
            for shown in self._mark.filter.shown(kind, fact):
                self._seq += 1
                if self._seq > self.at:
                    frames.append(as_fact(self._seq, *shown))


def as_fact(seq: int, name: str, data: dict[str, Any], moment: str) -> Fact:
    return {"seq": seq, "type": name, "data": data, "timestamp": moment}
