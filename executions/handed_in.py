"""Files of forms: those that somebody hands in with one, and those that an answer names by their id."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO, Any
from uuid import UUID

from artefacts import selectors
from artefacts import services as artefacts
from artefacts.errors import FileNotFound, FileRefused, FileTooLarge, StorageFull
from artefacts.models import Artefact, Purpose
from auterity.kernel.errors import FieldProblem, InvalidInput
from nodes.settings.form_fields import FormField


@dataclass(frozen=True, slots=True)
class HandedIn:
    """A file of a multipart body, on disk. `name` and `sent_as` are the client's words."""

    name: str
    sent_as: str
    content: IO[bytes]


@dataclass(frozen=True, slots=True)
class Kept:
    """What was stored: the field's name to the file's id."""

    organization_id: UUID
    ids: dict[str, str] = field(default_factory=dict)

    def forget(self) -> None:
        """Delete them again: what they came with was not taken."""
        for each in self.ids.values():
            rows = Artefact.objects.of(self.organization_id).filter(pk=UUID(each))
            artefacts.forget(rows, organization_id=self.organization_id, limit=1)
        self.ids.clear()


@contextmanager
def kept(*, organization_id: UUID, files: Mapping[str, HandedIn], place: str) -> Iterator[Kept]:
    """Store files, by field, for as long as nothing goes wrong inside; else none of them is kept.

    Raises `InvalidInput` that names every field (as `place.field`) whose file is refused.
    """
    found = Kept(organization_id)
    problems: list[FieldProblem] = []
    try:
        for name, each in files.items():
            try:
                made = artefacts.receive(
                    organization_id=organization_id, name=each.name, declared_type=each.sent_as, file=each.content
                )
                found.ids[name] = str(made.id)
            except (FileRefused, FileTooLarge, StorageFull) as error:
                problems.append(FieldProblem(f"{place}.{name}", error.message))
        if problems:
            raise InvalidInput(problems)
        yield found
    except BaseException:
        found.forget()
        raise


def strangers(organization_id: UUID, fields: Sequence[FormField], values: Mapping[str, Any]) -> dict[str, str]:
    """A sentence for each field whose value names no file of the organization."""
    return {
        each.name: f"{each.label or each.name} names no file of this organization; upload it first, and give its id."
        for each in fields
        if each.type == "file" and values.get(each.name) and not _is_own(organization_id, str(values[each.name]))
    }


def _is_own(organization_id: UUID, file_id: str) -> bool:
    try:
        return selectors.of_organization(organization_id, file_id).purpose != Purpose.PAYLOAD
    except FileNotFound:
        return False
