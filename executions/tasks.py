"""Celery's entries. A message says "look"; what there is to do stands in the database, so any message may be lost or repeated."""

from __future__ import annotations

from celery import shared_task

from executions import schedules
from executions.hints import HINTS


@shared_task(name="executions.advance", ignore_result=True)
def advance() -> None:
    """Something was accepted: wake this worker's runner."""
    HINTS.send()


@shared_task(name="executions.sweep", ignore_result=True)
def sweep() -> None:
    """Beat's tick: look for what nobody was told about. Harmless when two beats tick."""
    HINTS.send()


@shared_task(name="executions.fire_due", ignore_result=True)
def fire_due() -> None:
    """Beat's tick for schedules; workers look by themselves too. Each moment fires once, however many look."""
    schedules.fire_due()
