"""What somebody wants to change about a workflow as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

OWN_FIELDS = ("name", "description", "category", "is_active")  # what a workflow has beside its definition


@dataclass(frozen=True, slots=True)
class WorkflowChange:
    """What an update says. None means "leave as it is" (001: PUT keeps the fields left out).

    `parts` are a request's parts of a definition in either documented shape, merged with what is stored when it is saved;
    `definition` is a whole canonical one. A definition that comes as a `draft` is stored and not published. `note` is what its
    maker says about it. `version` or `revision` is the one that was edited.
    """

    name: str | None = None
    description: str | None = None
    category: str | None = None
    is_active: bool | None = None
    definition: dict[str, Any] | None = None
    parts: Mapping[str, Any] | None = None
    version: int | None = None
    revision: int | None = None
    draft: bool = False
    note: str = ""
