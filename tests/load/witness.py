"""In a gate's processes: notes each checkpoint that the fence refused, and makes the wall clock wrong where it shall be."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig


class Witness(AppConfig):
    name = "tests.load"
    label = "load_witness"

    def ready(self) -> None:
        from django.conf import settings

        if settings.REFUSED:
            _note_refusals(settings.REFUSED)
        if settings.CLOCK_OFF_BY:
            _shift_clock(settings.CLOCK_OFF_BY)


def _note_refusals(path: str) -> None:
    from executions import journal

    commit = journal.commit

    def noting(checkpoints: Sequence[journal.Checkpoint]) -> Any:
        held = commit(checkpoints)
        refused = "".join(f"{each.claim.id} {each.claim.fence}\n" for each in checkpoints if each.claim.id not in held)
        if refused:
            descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            os.write(descriptor, refused.encode())
            os.close(descriptor)
        return held

    journal.commit = noting


def _shift_clock(seconds: float) -> None:
    """Whatever asks for the time of day in Python gets a wrong one; `time.monotonic` goes on as it does."""
    from datetime import timedelta

    from django.utils import timezone

    right, now = time.time, timezone.now
    time.time = lambda: right() + seconds
    timezone.now = lambda: now() + timedelta(seconds=seconds)
