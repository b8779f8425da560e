"""`?fields=id,name` on whatever a GET answers (001, "Field Selection"): the top level of an object, or of each item of a list."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard, get_args, get_origin

from pydantic import BaseModel

from auterity.kernel.errors import InvalidInput

PARAMETER = "fields"
# What stands beside the items of a list: counts, pages and envelopes, in all dialects. Ids say whose list it is.
_BESIDE_ITEMS = {
    "message", "page", "page_size", "pages", "pagination", "per_page", "size", "success", "total", "total_pages",
}  # fmt: skip
_PAGED = frozenset({"total", "next_cursor"})  # What only a list has, whatever else it says of itself.


@dataclass(frozen=True, slots=True)
class Choosable:
    """What may be chosen from an answer: keys of the answer, of each item under `items`, or of each item of a bare list."""

    names: tuple[str, ...]
    items: str = ""
    bare: bool = False

    def cut(self, body: Any, chosen: Iterable[str]) -> Any:
        """The body with the chosen keys alone, in the order in which they were asked for."""
        if self.bare and isinstance(body, list):
            return [_only(each, chosen) for each in body]
        if self.items and isinstance(body, dict):
            return {**body, self.items: [_only(each, chosen) for each in body[self.items]]}
        return _only(body, chosen)


def choosable(answers: Mapping[int, Any]) -> Choosable | None:
    """What may be chosen of an operation's successful answer; None where it is neither an object nor a list of objects."""
    model = answers.get(200)
    if item := _item(model):
        return Choosable(_names(item), bare=True)
    if not _is_model(model):
        return None
    lists = {
        field.serialization_alias or name: item
        for name, field in model.model_fields.items()
        if (item := _item(field.annotation))
    }
    beside = [each for each in _names(model) if each not in lists]
    is_a_page = not _PAGED.isdisjoint(beside) or all(each in _BESIDE_ITEMS or each.endswith("_id") for each in beside)
    if len(lists) == 1 and is_a_page:
        ((name, item),) = lists.items()
        return Choosable(_names(item), items=name)
    return Choosable(_names(model))


def chosen(asked: str, known: Iterable[str]) -> list[str] | None:
    """The names of a comma list; None for an empty one. Raises `InvalidInput` for unknown names, naming the known ones."""
    names = list(dict.fromkeys(each.strip() for each in asked.split(",") if each.strip()))
    allowed = list(known)
    strange = [each for each in names if each not in allowed]
    if strange:
        said = ", ".join(f"'{each[:60]}'" for each in strange[:5])
        raise InvalidInput.of(PARAMETER, f"There is no field {said}; there are {', '.join(allowed)}.")
    return names or None


def _only(body: Any, chosen: Iterable[str]) -> Any:
    return {name: body[name] for name in chosen if name in body} if isinstance(body, dict) else body


def _item(annotation: Any) -> type[BaseModel] | None:
    arguments = get_args(annotation)
    if get_origin(annotation) is list and len(arguments) == 1 and _is_model(arguments[0]):
        return arguments[0]
    return None


def _is_model(annotation: Any) -> TypeGuard[type[BaseModel]]:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _names(model: type[BaseModel]) -> tuple[str, ...]:
    return (
        *(field.serialization_alias or name for name, field in model.model_fields.items()),
        *model.model_computed_fields,
    )
