"""Whether a value is of a documented type, in the type language of `auterity.yaml`. `true` and `false` are themselves."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


def _uuid(value: Any) -> bool:
    try:
        return isinstance(value, str) and str(UUID(value)) == value
    except ValueError:
        return False


def _moment(value: Any) -> bool:
    return isinstance(value, str) and bool(_MOMENT.fullmatch(value)) and bool(dt.datetime.fromisoformat(value))


_PLAIN: Mapping[str, Callable[[Any], bool]] = {
    "any": lambda value: True,
    "boolean": lambda value: isinstance(value, bool),
    "datetime": _moment,
    "email": lambda value: isinstance(value, str) and "@" in value,
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "object": lambda value: isinstance(value, dict),
    "string": lambda value: isinstance(value, str),
    "uri": lambda value: isinstance(value, str) and "://" in value,
    "uuid": _uuid,
}


class Kinds:
    """The named types of a contract, and the question whether a value is of a type."""

    def __init__(self, named: Mapping[str, Any]) -> None:
        self._named = named

    def wrong(self, value: Any, kind: Any, place: str = "$") -> list[str]:
        """Where a value differs from its type; empty when nowhere. Keys that no document names are fine."""
        if isinstance(kind, Mapping):
            return self._wrong_object(value, kind, place)
        if isinstance(kind, list):
            if not isinstance(value, list):
                return [f"{place} is {value!r:.80}, not a list"]
            return [each for at, item in enumerate(value) for each in self.wrong(item, kind[0], f"{place}[{at}]")]
        if isinstance(kind, bool):
            return [] if value is kind else [f"{place} is {value!r:.80}, not {kind}"]
        if kind.endswith("|null"):
            return [] if value is None else self.wrong(value, kind.removesuffix("|null"), place)
        if kind.startswith("map("):
            if not isinstance(value, dict):
                return [f"{place} is {value!r:.80}, not a map"]
            return [each for name in value for each in self.wrong(value[name], kind[4:-1], f"{place}.{name}")]
        if kind.startswith("enum("):
            return [] if value in kind[5:-1].split("|") else [f"{place} is {value!r:.80}, not {kind}"]
        if kind in self._named:
            return self.wrong(value, self._named[kind], place)
        return [] if _PLAIN[kind](value) else [f"{place} is {value!r:.80}, not {kind}"]

    def _wrong_object(self, value: Any, kind: Mapping[str, Any], place: str) -> list[str]:
        if not isinstance(value, dict):
            return [f"{place} is {value!r:.80}, not an object"]
        found = []
        for key, each in kind.items():
            name = key.removesuffix("?")
            if name in value:
                found += self.wrong(value[name], each, f"{place}.{name}")
            elif not key.endswith("?") and not (isinstance(each, str) and each.endswith("|null")):
                found.append(f"{place}.{name} is missing")
        return found

    def keys_of(self, kind: Any) -> Any:
        """A type with its name looked up; several in a list of a YAML document are one object with all their keys."""
        if isinstance(kind, list) and len(kind) > 1:
            return {name: each for part in kind for name, each in self.keys_of(part).items()}
        return self._named[kind] if isinstance(kind, str) and kind in self._named else kind
