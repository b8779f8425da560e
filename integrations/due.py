"""Claiming rows that are due: one a look, by pushing `due_at` ahead, so that a worker that dies simply leaves it due again."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable
from typing import Any, TypeVar

from django.db import connection, models, transaction
from django.db.models import QuerySet
from django.utils import timezone

_Row = TypeVar("_Row", bound=models.Model)


def claim(rows: QuerySet[_Row], *, begin: Callable[[_Row], float]) -> _Row | None:
    """The row that has been due longest; None when none is due.

    `begin` notes in the row what the claim changes besides `due_at`, and says for how many seconds it is this worker's alone.
    """
    now = timezone.now()
    due: QuerySet[Any] = rows.filter(due_at__lte=now).order_by("due_at")
    if not due.exists():  # Most looks find nothing; only a writer takes SQLite's one lock.
        return None
    with transaction.atomic():
        if connection.features.has_select_for_update_skip_locked:
            due = due.select_for_update(skip_locked=True, of=("self",))
        row: Any = due.first()
        if row is not None:
            row.due_at = now + dt.timedelta(seconds=begin(row))
            row.save()
    found: _Row | None = row
    return found


def backoff(attempt: int, *, first: float, most: float) -> dt.timedelta:
    """How long to wait after the attempt of this number (from 1): four times as long each time, spread a little."""
    wait = min(first * 4 ** min(attempt - 1, 20), most)
    return dt.timedelta(seconds=wait * random.uniform(0.8, 1.2))  # noqa: S311  Spreads retries; no secret.
