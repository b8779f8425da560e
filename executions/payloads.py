"""Large outputs of steps: kept as files, by reference in the row, and read again only when somebody asks for the value.

A stored form is the value itself, or `{"$kept": {"file": id, "bytes": n}}`. A value that looks like one is wrapped, so that no
step can make another file be read by answering with a reference: `{"$kept": {"value": …}}`.

    payloads = Payloads(organization_id, execution_id)
    row.output_data = payloads.keep(output, key=f"{node_id}/{iteration}")  # before the checkpoint that holds the row
    payloads.load(row.output_data)  # the output
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, MutableMapping
from typing import Any
from uuid import UUID

import orjson
from django.conf import settings

from artefacts import selectors, services
from artefacts.models import Purpose
from executions.models import StepStatus
from executions.records import StepRow

MARK = "$kept"
CACHE_BYTES = 32 * 1024 * 1024  # of encoded values that one run holds at once; a larger one is held alone
PIECE_BYTES = 256 * 1024
MEDIA_TYPE = "application/json"


class Payloads:
    """The large values of one run. Used by one thread at a time; `forget` lets go of what it holds."""

    def __init__(self, organization_id: UUID, execution_id: UUID) -> None:
        self._organization_id = organization_id
        self._execution_id = execution_id
        self._held: OrderedDict[str, tuple[int, Any]] = OrderedDict()
        self._bytes = 0

    def keep(self, value: Any, *, key: str) -> Any:
        """What to write into the row. `key` names the value within the run: kept again under it, it leaves one file.

        Commits its file by itself: call it before the transaction of the row, not inside. Raises `StorageFull`, `FileTooLarge`.
        """
        encoded = orjson.dumps(value)
        if len(encoded) <= settings.ENGINE["inline_bytes"]:
            return {MARK: {"value": value}} if isinstance(value, dict) and MARK in value else value
        made = services.store(
            organization_id=self._organization_id,
            name=f"{key.replace('/', '-')}.json",
            media_type=MEDIA_TYPE,
            pieces=_pieces(encoded),
            purpose=Purpose.PAYLOAD,
            key=f"{self._execution_id}/{key}/payload",
            execution_id=self._execution_id,
        )
        self._drop(str(made.pk))  # A repeated step puts another value under the same id.
        self._hold(str(made.pk), len(encoded), value)
        return {MARK: {"file": str(made.pk), "bytes": len(encoded)}}

    def load(self, stored: Any) -> Any:
        """The value of a stored form. Raises `FileNotFound` or `FileDamaged` where its file is lost."""
        if not is_wrapped(stored):
            return stored
        about = stored[MARK]
        if "value" in about:
            return about["value"]
        file_id = about["file"]
        if file_id in self._held:
            self._held.move_to_end(file_id)
            return self._held[file_id][1]
        row = selectors.of_organization(self._organization_id, file_id)
        with selectors.opened(row) as file:
            value = orjson.loads(file.read())
        self._hold(file_id, row.size, value)
        return value

    def forget(self) -> None:
        """Let go of the values; the next `load` reads them again."""
        self._held.clear()
        self._bytes = 0

    def _hold(self, file_id: str, size: int, value: Any) -> None:
        self._held[file_id] = (size, value)
        self._bytes += size
        while self._bytes > CACHE_BYTES and len(self._held) > 1:
            self._bytes -= self._held.popitem(last=False)[1][0]

    def _drop(self, file_id: str) -> None:
        size, _ = self._held.pop(file_id, (0, None))
        self._bytes -= size


class LazyOutputs(MutableMapping[str, Any]):
    """Outputs by node id, kept as stored forms and read when one is asked for: what `engine.scheduler.Run.outputs` may be."""

    def __init__(self, payloads: Payloads, steps: Iterable[StepRow] = ()) -> None:
        self._payloads = payloads
        ended = (each for each in steps if each.status in (StepStatus.COMPLETED, StepStatus.FAILED))
        self._stored: dict[str, Any] = {each.node_id: each.output_data for each in ended}

    def keep(self, node_id: str, stored: Any) -> None:
        """Put a stored form in, without reading it."""
        self._stored[node_id] = stored

    def __getitem__(self, node_id: str) -> Any:
        return self._payloads.load(self._stored[node_id])

    def __setitem__(self, node_id: str, value: Any) -> None:
        """Put a value in as it is, whatever it looks like."""
        self._stored[node_id] = {MARK: {"value": value}} if isinstance(value, dict) and MARK in value else value

    def __delitem__(self, node_id: str) -> None:
        del self._stored[node_id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._stored)

    def __len__(self) -> int:
        return len(self._stored)

    def __contains__(self, node_id: object) -> bool:
        return node_id in self._stored


def is_wrapped(stored: Any) -> bool:
    """Whether a stored form is not the value itself. Pages that only show a row need not read what it refers to."""
    return isinstance(stored, dict) and len(stored) == 1 and isinstance(stored.get(MARK), dict)


def shown(stored: Any) -> Any:
    """What people are shown of a stored form: the value, or where a large one can be fetched."""
    if not is_wrapped(stored):
        return stored
    about = stored[MARK]
    if "value" in about:
        return about["value"]
    return {"file": about["file"], "bytes": about.get("bytes"), "href": f"/api/files/{about['file']}/content"}


def size_of(stored: Any) -> int | None:
    """Bytes of a value that is kept as a file, else None."""
    return stored[MARK].get("bytes") if is_wrapped(stored) else None


def _pieces(encoded: bytes) -> Iterator[bytes]:
    view = memoryview(encoded)
    for start in range(0, len(view), PIECE_BYTES):
        yield bytes(view[start : start + PIECE_BYTES])
