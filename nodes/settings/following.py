"""`pagination` of `api-integration`: how the next page is found, and what a page's items are. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import urljoin

from pydantic import BaseModel, ConfigDict, Field

_LINK = re.compile(r"<([^<>]*)>((?:\s*;\s*[\w*-]+\s*=\s*(?:\"[^\"]*\"|[^\s;,\"]+))*)")
_NEXT = re.compile(r";\s*rel\s*=\s*(?:\"([^\"]*)\"|([^\s;,\"]+))", re.IGNORECASE)
_USUAL = ("items", "data", "results", "records", "value")


class Pagination(BaseModel):
    """Which pages follow the first one."""

    model_config = ConfigDict(extra="forbid")

    type: Literal["link", "cursor", "page"] = Field(
        description="By a Link header, a cursor in the body, or a page number."
    )
    max_pages: int = Field(default=10, ge=1, le=100, description="The most pages to read.")
    items: str = Field(
        default="", description="Where the items are in the body, such as data.rows; found by itself if empty."
    )
    cursor: str = Field(default="next_cursor", description="Where the next cursor is in the body.")
    parameter: str = Field(default="", description="The query parameter for the cursor (cursor) or the number (page).")


def items_of(body: Any, where: str) -> list[Any] | None:
    """The items of one page; None where there is no list."""
    if where:
        found = at(body, where)
        return found if isinstance(found, list) else None
    if isinstance(body, Mapping):
        body = next((body[name] for name in _USUAL if isinstance(body.get(name), list)), None)
    return body if isinstance(body, list) else None


def next_page(
    how: Pagination, url: str, query: Mapping[str, Any], headers: Mapping[str, str], body: Any
) -> tuple[str, dict[str, Any]] | None:
    """Address and query of the page after this one, None after the last."""
    if how.type == "link":
        target = next_link(headers.get("link", ""))
        return (urljoin(url, target), {}) if target else None
    name = how.parameter or how.type
    if how.type == "cursor":
        cursor = at(body, how.cursor)
        known = cursor not in (None, "", False) and not isinstance(cursor, (dict, list)) and cursor != query.get(name)
        return (url, {**query, name: cursor}) if known else None
    if not items_of(body, how.items):
        return None
    try:
        return url, {**query, name: int(query.get(name, 1)) + 1}
    except (TypeError, ValueError):
        return None


def next_link(header: str) -> str:
    """The target of rel="next" in a Link header (RFC 8288), "" where there is none."""
    for target, parameters in _LINK.findall(header[:8192]):
        for quoted, bare in _NEXT.findall(parameters):
            if "next" in (quoted or bare).lower().split():
                return str(target)
    return ""


def at(body: Any, path: str) -> Any:
    """What is at `a.b.c`, None where there is nothing."""
    for part in path.split("."):
        body = body.get(part) if isinstance(body, Mapping) else None
    return body
