"""How the operators' site shows a value: moments, spans of time, states, JSON, small tables. Everything is escaped here."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

import orjson
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

NOTHING = "–"
SHOWN_CHARACTERS = 20_000
SHOWN_ROWS = 500

COLOURS = {
    "pending": "info",
    "running": "primary",
    "waiting": "warning",
    "completed": "success",
    "delivered": "success",
    "failed": "danger",
    "timeout": "danger",
    "cancelled": "neutral",
    "skipped": "neutral",
    "info": "info",
    "warning": "warning",
    "error": "danger",
    "critical": "danger",
    "low": "info",
    "medium": "warning",
    "high": "danger",
    "open": "danger",
    "investigating": "warning",
    "contained": "warning",
    "resolved": "success",
    "active": "danger",
    "mitigated": "warning",
    "success": "success",
    "challenged": "info",
    "blocked": "danger",
    "locked": "danger",
    "sent": "info",
    "confirmed": "success",
    "unknown": "danger",
}  # fmt: skip


def moment(value: dt.datetime | None) -> SafeString:
    """UTC, to the second."""
    return unbroken(value.astimezone(dt.UTC).strftime("%Y-%m-%d %H:%M:%S") if value else NOTHING)


def unbroken(text: str) -> SafeString:
    """On one line, digits under digits."""
    return format_html('<span class="op-time">{}</span>', text)


def span(seconds: float | None) -> str:
    """A length of time in the two units that matter."""
    if seconds is None:
        return NOTHING
    if seconds < 0:
        return f"-{span(-seconds)}"
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    whole = int(seconds)
    for size, name, small, small_name in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            return f"{whole // size} {name} {whole % size // small} {small_name}"
    return NOTHING


def short_id(value: UUID | str) -> SafeString:
    """The part of an id that tells it apart from its neighbours and can be searched for; the whole one as its title."""
    return format_html('<span class="op-id" title="{}">{}</span>', value, str(value)[:18])


def link(obj: Any, text: Any = None) -> SafeString:
    """To the page of a stored row."""
    return link_to(obj._meta.app_label, obj._meta.model_name, obj.pk, obj if text is None else text)


def link_to(app: str, model: str, pk: Any, text: Any) -> SafeString:
    """To the page of a row that need not be read for it."""
    return format_html('<a class="op-link" href="{}">{}</a>', reverse(f"admin:{app}_{model}_change", args=[pk]), text)


def listing(app: str, model: str, text: Any, **filters: Any) -> SafeString:
    """To a list, filtered."""
    wanted = "&".join(f"{name}={value}" for name, value in filters.items())
    return format_html(
        '<a class="op-link" href="{}?{}">{}</a>', reverse(f"admin:{app}_{model}_changelist"), wanted, text
    )


def state(value: str) -> SafeString:
    """A state in its colour."""
    return format_html('<span class="op-state op-{}">{}</span>', COLOURS.get(value, "neutral"), value)


def bar(percent: float, *, start: float = 0.0, colour: str = "primary", title: str = "") -> SafeString:
    """A piece of a line 0 to 100 long."""
    begin = min(max(start, 0.0), 100.0)
    width = min(max(percent, 0.0), 100.0 - begin)
    style = f"margin-left:{begin:.2f}%;width:{width:.2f}%"
    return format_html('<span class="op-bar" title="{}"><i class="op-{}" style="{}"></i></span>', title, colour, style)


def excerpt(text: str, length: int = 80) -> SafeString:
    """The beginning of a long text, with more of it as its title."""
    if len(text) <= length:
        return format_html("{}", text or NOTHING)
    return format_html('<span title="{}">{}…</span>', text[:2000], text[:length])


def json_block(value: Any, title: str, *, limit: int = SHOWN_CHARACTERS, opened: bool = False) -> SafeString:
    """A JSON value that unfolds; a long one is cut, and says so."""
    if value is None:
        return format_html('<p class="op-none">{}: {}</p>', title, NOTHING)
    text = orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS).decode()
    cut = f"Cut: the first {limit:,} of {len(text):,} characters." if len(text) > limit else ""
    return format_html(
        '<details class="op-json"{}><summary>{} <small>{}</small></summary><pre>{}</pre>{}</details>',
        SafeString(" open") if opened else "",
        title,
        f"{len(text):,} characters",
        text[:limit],
        format_html('<p class="op-note">{}</p>', cut) if cut else "",
    )


def table(headings: Sequence[str], rows: Iterable[Sequence[Any]], *, of: int | None = None) -> SafeString:
    """A small table; `of` is how many rows there are when not all are given."""
    lines = list(rows)
    note = f"The first {len(lines):,} of {of:,}." if of is not None and of > len(lines) else ""
    return format_html(
        '<div class="op-scroll"><table class="op-table"><thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>{}',
        format_html_join("", "<th>{}</th>", ((each,) for each in headings)),
        format_html_join(
            "", "<tr>{}</tr>", ((format_html_join("", "<td>{}</td>", ((c,) for c in row)),) for row in lines)
        ),
        format_html('<p class="op-note">{}</p>', note) if note else "",
    )
