"""Telling a worker that something is due. A hint may be lost, late or repeated: the due rows are the truth.

A process that has a runner wakes it directly. Any other process sends one Celery message, at most one every few milliseconds
however many executions it accepts, from a thread of its own so that no request waits for a broker that is away.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import structlog
from django.conf import settings

from executions.events import ExecutionAccepted

if TYPE_CHECKING:
    from executions.runner import Runner

log = structlog.get_logger(__name__)

_QUIET_SECONDS = 0.02
_AWAY_SECONDS = 5.0


class Hints:
    def __init__(self) -> None:
        self._runner: Runner | None = None
        self._wanted = threading.Event()
        self._lock = threading.Lock()
        self._sender: threading.Thread | None = None

    def use(self, runner: Runner | None) -> None:
        """This process has a runner of its own (or no longer has)."""
        self._runner = runner

    @property
    def runner(self) -> Runner | None:
        """This process' own, if it has one."""
        return self._runner

    def send(self) -> None:
        """Somebody should look. Never blocks and never fails."""
        runner = self._runner
        if runner is not None:
            runner.wake()
        elif not settings.EMBEDDED:
            self._wanted.set()
            self._ensure_sender()

    def _ensure_sender(self) -> None:
        with self._lock:
            if self._sender is None or not self._sender.is_alive():
                self._sender = threading.Thread(target=self._send_wanted, name="hints", daemon=True)
                self._sender.start()

    def _send_wanted(self) -> None:
        from executions.tasks import advance  # Celery is loaded only in processes that send to it.

        pause = threading.Event()
        while self._wanted.wait():
            self._wanted.clear()
            try:
                advance.apply_async(ignore_result=True, retry=False, expires=60)
                pause.wait(_QUIET_SECONDS)
            except Exception as error:
                # Whatever the broker's client raises: workers poll, so nothing is lost, only a second.
                log.warning("hint_not_sent", error=type(error).__name__)
                pause.wait(_AWAY_SECONDS)


HINTS = Hints()


def on_accepted(_fact: ExecutionAccepted) -> None:
    HINTS.send()
