"""Node types that only the worker processes of these tests have: two that note what they do, and two that kill."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from django.apps import AppConfig

from engine.node import Done, Effect, Outcome, Step


class TrialNodes(AppConfig):
    name = "tests.executions"
    label = "trial_nodes"

    def ready(self) -> None:
        _kept.enter_context(trial_nodes())


_kept = ExitStack()


@contextmanager
def trial_nodes() -> Iterator[None]:
    from tests.executions.support import registered

    with ExitStack() as stack:
        stack.enter_context(registered("note", note, effect=Effect.UNKEYED, lookup=find))
        stack.enter_context(registered("jot", note, effect=Effect.UNKEYED))
        stack.enter_context(registered("exit", leave))
        stack.enter_context(registered("exit-outside", leave, effect=Effect.KEYED))
        yield


def note(config: Any, step: Step) -> Outcome:
    """Add the step's key to a file: an effect that a repeat would double, and that can be looked up."""
    descriptor = os.open(config.value, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, f"{step.key}\n".encode())
    finally:
        os.close(descriptor)
    return Done("noted")


def find(config: Any, step: Step) -> Outcome | None:
    noted = Path(config.value)
    return Done("found") if noted.exists() and step.key in noted.read_text().split() else None


def leave(config: Any, step: Step) -> Outcome:
    """As the kernel does when memory runs out."""
    os._exit(9)
