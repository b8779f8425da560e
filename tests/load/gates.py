"""What the gates share: a database, worker processes that are started again when they die, and the one line each prints."""

from __future__ import annotations

import argparse
import json
import logging
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

Figures = dict[str, Any]


def main(gate: str, measure: Callable[[bool], Figures]) -> None:
    """`python -m tests.load.<gate> [--short]`: on the database of the environment. Exit code 1 when the gate is not passed."""
    wanted = argparse.ArgumentParser(prog=gate)
    wanted.add_argument("--short", action="store_true", help="what CI runs")
    short = wanted.parse_args().short
    figures = {"gate": gate, "short": short, **measure(short)}
    print(json.dumps(figures), flush=True)
    sys.exit(0 if figures["passed"] else 1)


def set_up() -> None:
    """Django on the database of the environment, migrated. To be called before anything of ours is imported."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "auterity.settings.test")
    import django

    django.setup()
    logging.getLogger("django.request").setLevel(logging.ERROR)  # Refusals are what some gates ask for.
    from django.conf import settings

    settings.ALLOWED_HOSTS = [*settings.ALLOWED_HOSTS, "testserver"]  # What Django's test client calls itself.
    from django.core.management import call_command

    call_command("migrate", verbosity=0)


@contextmanager
def workers(count: int, **engine: Any) -> Iterator[Callable[[], int]]:
    """Worker processes. Calling what comes starts those again that died, and tells how many died so far."""
    from tests.executions.trial_nodes import trial_nodes
    from tests.executions.workers import worker

    died = 0
    with tempfile.TemporaryDirectory() as folder, trial_nodes(), ExitStack() as stack:
        made = [stack.enter_context(worker("embedded", Path(folder) / f"log{at}", **engine)) for at in range(count)]
        for each in made:
            each.start()

        def look() -> int:
            nonlocal died
            for each in made:
                if each.exit_code is not None:
                    died += 1
                    each.start()
            return died

        yield look


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


def percentile(values: list[float], percent: int) -> float:
    if len(values) < 2:
        return round(max(values, default=0.0), 3)
    return round(statistics.quantiles(values, n=100, method="inclusive")[percent - 1], 3)


def somebody(name: str) -> Any:
    """An actor of an organization of its own."""
    from tests.executions.support import person

    return person(f"{name}-{time.time_ns()}@example.com")


def delays(organization_id: Any) -> list[float]:
    """Seconds from acceptance to the first claim, of all runs of an organization that began."""
    from executions.models import Execution

    rows = Execution.objects.of(organization_id).exclude(started_at=None).values_list("created_at", "started_at")
    return [(started - created).total_seconds() for created, started in rows]
