"""Pages of the `auterity` dialect (contract README, decision 7): one number under the names of both documents."""

from __future__ import annotations

import math
from typing import Annotated, Any

from django.db.models import QuerySet
from pydantic import BaseModel, ConfigDict, Field, model_validator

MAX_PAGE_SIZE = 100


class PageQuery(BaseModel):
    """`limit` (000) and `page_size` (001) are one thing; `page_size` wins when both are given."""

    model_config = ConfigDict(extra="ignore")

    page: Annotated[int, Field(ge=1, le=1_000_000, description="From 1.")] = 1
    page_size: Annotated[int | None, Field(ge=1, le=MAX_PAGE_SIZE, description="Items a page (001).")] = None
    limit: Annotated[int | None, Field(ge=1, le=MAX_PAGE_SIZE, description="The same, as 000 names it.")] = None

    @model_validator(mode="before")
    @classmethod
    def _empty_means_absent(cls, given: Any) -> Any:
        return {name: value for name, value in given.items() if value != ""} if isinstance(given, dict) else given


class PaginationInfo(BaseModel):
    """000, PaginationInfo."""

    page: int
    limit: int
    total: int
    total_pages: int
    has_next: bool
    has_prev: bool


class Page(BaseModel):
    """What every list answers besides its items: 001's keys at the top, 000's under `pagination`."""

    total: int
    page: int
    page_size: int
    total_pages: int
    pagination: PaginationInfo


def cut(
    rows: QuerySet[Any], query: PageQuery, *, default_size: int, total: int | None = None
) -> tuple[list[Any], dict[str, Any]]:
    """The rows of one page, and the keys of `Page`. `total` is given where it is known without counting."""
    size = query.page_size or query.limit or default_size
    count = rows.count() if total is None else total
    start = (query.page - 1) * size
    pages = math.ceil(count / size)
    about = PaginationInfo(
        page=query.page,
        limit=size,
        total=count,
        total_pages=pages,
        has_next=query.page < pages,
        has_prev=query.page > 1,
    )
    told = {"total": count, "page": query.page, "page_size": size, "total_pages": pages, "pagination": about}
    return list(rows[start : start + size]), told


COUNTED = 10_000  # rows of a table without end that are counted one by one; beyond, `total` says so


def cut_endless(
    rows: QuerySet[Any], query: PageQuery, *, default_size: int, after: QuerySet[Any] | None = None
) -> tuple[list[Any], dict[str, Any], bool]:
    """As `cut`, for a table that grows without end: keys are walked in the rows' order, and only a page's rows are read.

    `after` are the rows that follow a cursor; with it the page's number is not looked at. The last value says whether `total`
    is exact: a table is counted up to `COUNTED` rows, and not at all where the page itself shows its end.
    """
    size = query.page_size or query.limit or default_size
    start = 0 if after is not None else (query.page - 1) * size
    keys = list((rows if after is None else after).values_list("pk", flat=True)[start : start + size + 1])
    more = len(keys) > size
    found = {each.pk: each for each in rows.order_by().filter(pk__in=keys[:size])}
    if after is None and not more and (keys or start == 0):
        total, exact = start + len(keys), True
    else:
        counted = rows[: COUNTED + 1].count()
        total, exact = max(min(counted, COUNTED), start + len(keys[:size])), counted <= COUNTED
    pages = math.ceil(total / size)
    about = PaginationInfo(
        page=query.page,
        limit=size,
        total=total,
        total_pages=pages,
        has_next=more,
        has_prev=start > 0 or after is not None,
    )
    told = {"total": total, "page": query.page, "page_size": size, "total_pages": pages, "pagination": about}
    return [found[key] for key in keys[:size] if key in found], told, exact
