"""Which worker processes are there, as each of them notes now and then. Nothing depends on it but what people are told."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable

import structlog
from django.conf import settings
from django.db import connection
from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone

from executions.models import Worker

log = structlog.get_logger(__name__)

NOTED_EVERY = 10.0  # seconds
LATELY = 30.0  # seconds after which a worker that has not looked is not counted on
KEPT = dt.timedelta(days=1)
COUNTED = 1000  # workers that are looked at


class Presence:
    """One worker's row. No failure to write it is of consequence, so none is raised."""

    def __init__(self, owner: str) -> None:
        self._owner = owner
        self._at = self._turned_at = self._claimed_at = 0.0
        self._try(self._arrive)

    def note(self, *, turned_at: float, claimed_at: float) -> None:
        """At most every `NOTED_EVERY` seconds, and only when the desk came round since. In monotonic seconds."""
        now = time.monotonic()
        if now - self._at < NOTED_EVERY or turned_at == self._turned_at:
            return
        claimed = claimed_at > self._claimed_at
        self._try(lambda: self._look(claimed))
        self._at, self._turned_at, self._claimed_at = now, turned_at, claimed_at

    def leave(self) -> None:
        """It ends in good order."""
        self._try(lambda: Worker.objects.filter(owner=self._owner).delete())

    # -- inside ------------------------------------------------------------------------------------------------------

    def _arrive(self) -> None:
        """Also removes the rows of workers that died long ago."""
        Worker.objects.filter(looked_at__lt=timezone.now() - KEPT).delete()
        Worker.objects.bulk_create([Worker(owner=self._owner, version=settings.VERSION)], ignore_conflicts=True)

    def _look(self, claimed: bool) -> None:
        row = Worker.objects.filter(owner=self._owner)
        if not row.update(looked_at=Now(), claimed_at=Now() if claimed else F("claimed_at")):
            self._arrive()

    def _try(self, act: Callable[[], object]) -> None:
        try:
            act()
        except Exception as error:
            log.warning("worker_not_noted", error=type(error).__name__)
            connection.close()


def workers_lately(now: dt.datetime) -> tuple[int, dt.datetime | None]:
    """How many workers have looked lately, and when any last did, in one query."""
    looked = list(Worker.objects.order_by("-looked_at").values_list("looked_at", flat=True)[:COUNTED])
    bound = now - dt.timedelta(seconds=LATELY)
    return sum(each >= bound for each in looked), looked[0] if looked else None
