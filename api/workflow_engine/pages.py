"""Pages of the `workflow_engine` dialect (003, Pagination): `page` and `per_page`, told beside the items."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

from django.db.models import QuerySet
from pydantic import BaseModel, ConfigDict, Field, model_validator

from api.base import Answer
from auterity.kernel.errors import InvalidInput

MAX_PER_PAGE = 100


class PerPageQuery(BaseModel):
    """What every list takes."""

    model_config = ConfigDict(extra="ignore")

    page: Annotated[int, Field(ge=1, le=1_000_000, description="From 1.")] = 1
    per_page: Annotated[int, Field(ge=1, le=MAX_PER_PAGE, description="Items a page.")] = 20

    @model_validator(mode="before")
    @classmethod
    def _empty_means_absent(cls, given: Any) -> Any:
        return {name: value for name, value in given.items() if value != ""} if isinstance(given, dict) else given


class SortedQuery(PerPageQuery):
    """What a list takes whose order can be chosen; see `ordered`."""

    sort: Annotated[str, Field(max_length=60, description="A field; with - before it, from the highest.")] = ""


class PageOfMany(BaseModel):
    """003, Pagination."""

    page: int
    per_page: int
    total: int
    pages: int


class Listing(BaseModel):
    """What every list answers beside its items."""

    success: Literal[True] = True
    pagination: PageOfMany
    message: str


def paged(
    rows: QuerySet[Any],
    query: PerPageQuery,
    shape: Callable[[Any], Any],
    *,
    meta: dict[str, Any] | None = None,
    headers: dict[str, str] | None = None,
) -> Answer:
    """One page of the rows, each in its shape (a pydantic model or plain JSON); `meta` stands beside the items."""
    total = rows.count()
    start = (query.page - 1) * query.per_page
    about = {
        "page": query.page,
        "per_page": query.per_page,
        "total": total,
        "pages": math.ceil(total / query.per_page),
    }
    items = [_plain(shape(each)) for each in rows[start : start + query.per_page]]
    beside: dict[str, Any] = {"pagination": about} if meta is None else {"pagination": about, "meta": meta}
    return Answer(items, headers=headers, beside=beside)


COUNTED = 10_000  # rows of a table without end that are counted one by one; beyond, `total` is so many


def cut_endless(rows: QuerySet[Any], query: PerPageQuery) -> tuple[list[Any], dict[str, Any], bool]:
    """One page's rows, the keys of `PageOfMany`, and whether `total` is exact, for a table that grows without end.

    Keys are walked in the rows' order, only a page's rows are read, and none is counted where the page itself shows the end.
    """
    start, size = (query.page - 1) * query.per_page, query.per_page
    keys = list(rows.values_list("pk", flat=True)[start : start + size + 1])
    if len(keys) <= size and (keys or start == 0):
        total, exact = start + len(keys), True
    else:
        counted = rows.order_by()[: COUNTED + 1].count()
        total, exact = max(min(counted, COUNTED), start + len(keys[:size])), counted <= COUNTED
    found = {each.pk: each for each in rows.order_by().filter(pk__in=keys[:size])}
    about = {"page": query.page, "per_page": size, "total": total, "pages": math.ceil(total / size)}
    return [found[key] for key in keys[:size] if key in found], about, exact


def ordered(rows: QuerySet[Any], sort: str, fields: Mapping[str, str], *, usual: str) -> QuerySet[Any]:
    """The rows in the order that `sort` names, by the names that a client knows (`fields`: to the model's), then by id.

    Raises `InvalidInput` for a name that is not there.
    """
    asked = sort or usual
    name = asked.removeprefix("-")
    if name not in fields:
        raise InvalidInput.of("sort", f"Choose one of {', '.join(sorted(fields))}; with - before it, from the highest.")
    down = "-" if asked.startswith("-") else ""
    return rows.order_by(f"{down}{fields[name]}", f"{down}id")


def _plain(item: Any) -> Any:
    return item.model_dump(mode="json", by_alias=True) if isinstance(item, BaseModel) else item
