"""What a node may ask of the house itself: who people are, other runs, and stored files. Pure: no implementation here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

from engine.waiting import Person


@dataclass(frozen=True, slots=True)
class Asked:
    """Who may answer: people by name, and roles any holder of which may. `holders` are who they are now."""

    people: Sequence[Person]
    roles: Sequence[str]
    holders: Sequence[Person]


class PeoplePort(Protocol):
    def resolve(self, asked: Sequence[str]) -> Asked:
        """E-mail addresses and names of roles. Raises Rejected for a text that is neither."""
        ...

    def link(self, key: str, person: Person) -> str:
        """Where this person, who need not sign in, answers the question of the step with this key."""
        ...


@dataclass(frozen=True, slots=True)
class NewRun:
    """A run that a step starts: of a workflow (`version` None: the newest), or of the body that the step's node holds.

    `item` counts the runs of one step; the same one is never started twice. A `detached` run goes on when its step's run ends.
    """

    item: int
    inputs: Mapping[str, Any]
    workflow_id: str = ""
    version: int | None = None
    detached: bool = False


@dataclass(frozen=True, slots=True)
class EndedRun:
    """`status` is completed, failed, cancelled or timeout; `output` is there when it completed."""

    id: str
    item: int
    status: str
    output: Any
    error: str


@dataclass(frozen=True, slots=True)
class RunCounts:
    live: int
    completed: int
    failed: int  # cancelled and timed out ones too


class RunsPort(Protocol):
    """Runs that a step starts. `attempt` keeps the runs of a step that is tried again apart."""

    def start(self, key: str, attempt: int, runs: Sequence[NewRun]) -> Sequence[str]:
        """Accept them, each once however often this is called; returns their ids. Raises Rejected (no such workflow)."""
        ...

    def counts(self, key: str, attempt: int) -> RunCounts: ...

    def ended(self, key: str, attempt: int, *, after: int = -1, limit: int = 500) -> Sequence[EndedRun]:
        """Ended runs with an item above `after`, by item."""
        ...

    def cancel(self, key: str, attempt: int) -> None:
        """End those that are live."""
        ...


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A stored file with all of its bytes."""

    id: str
    name: str
    media_type: str
    content: bytes = field(repr=False)


class FileReader(Protocol):
    """A stored file being read, once, from its beginning."""

    name: str
    media_type: str
    size: int  # bytes

    def read(self, size: int = -1) -> bytes:
        """Up to `size` bytes, b"" at the end. Raises Unavailable when the stored bytes are damaged."""
        ...


class FilesPort(Protocol):
    def read(self, file_id: str, *, max_bytes: int) -> StoredFile:
        """A file as a whole. Raises Rejected when there is none of this id, or it is larger than `max_bytes`."""
        ...

    def open(self, file_id: str, *, start: int = 0) -> AbstractContextManager[FileReader]:
        """A file of any size, to be read piece by piece from the byte `start` on. Raises Rejected when there is none of this id.

        Damage is found at the end of a file that is read from its beginning; a part has no checksum.
        """
        ...

    def store(self, name: str, media_type: str, chunks: Iterable[bytes], *, key: str) -> str:
        """Store what comes in pieces, and answer the file's id.

        `key` is the step's (`step.key`), with a suffix where a step makes several: a repeat replaces the file and keeps its id.
        Raises Rejected when the file is too large or the organization has no room left; then nothing is kept.
        """
        ...
