"""A worker process: its desk, and the threads beside it.

One thread decides and talks to the database; effects run on a pool of threads that hold no connection; a third kind of thread
renews the leases. Pure steps of all claimed executions are committed together; an effectful step is committed before it is
performed and after. Whatever dies, the database says what is still owed, and another desk takes it up.
"""

from __future__ import annotations

import os
import secrets
import socket
import threading
import time

import structlog
from django.conf import settings
from django.db import connection

from executions import brakes, claims, retention
from executions.desk import Desk
from executions.presence import Presence
from executions.schedules import fire_due
from integrations.duties import DUTIES, Duty

log = structlog.get_logger(__name__)

STUCK_AFTER = 120.0  # seconds after which a desk that does not come round no longer has its leases renewed


class Runner:
    """Start one a process. `stop` lets steps under way end and gives everything else to the other workers."""

    def __init__(self) -> None:
        self.owner = f"{socket.gethostname()[:40]}:{os.getpid()}:{secrets.token_hex(4)}"
        self._lease = float(settings.ENGINE["lease_seconds"])
        self._stopping = threading.Event()
        self.desk = Desk(self.owner, self._stopping)
        self._threads = [
            threading.Thread(target=self.desk.run, name="desk", daemon=True),
            threading.Thread(target=self._renew_leases, name="leases", daemon=True),
            threading.Thread(target=self._fire_schedules, name="schedules", daemon=True),
            threading.Thread(target=self._forget, name="retention", daemon=True),
            *(
                threading.Thread(target=self._attend_to, args=(duty,), name=f"{duty.name}-{n}", daemon=True)
                for duty in DUTIES
                for n in range(duty.threads)
            ),
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def wake(self) -> None:
        """A hint that something is due. Cheap, never blocks, may be repeated."""
        self.desk.wake()

    @property
    def ailment(self) -> str:
        """What is wrong with this worker, in a sentence; empty while it works. For any thread."""
        stuck = time.monotonic() - self.desk.turned_at
        if stuck > STUCK_AFTER and not self.desk.left.is_set():
            return f"The worker's desk has not come round for {stuck:.0f} s."
        return self.desk.ailment

    def stop(self, *, grace: float = 20.0) -> None:
        """Claim and begin nothing more, and wait up to `grace` seconds for steps under way, their leases renewed meanwhile."""
        until = time.monotonic() + grace
        self._stopping.set()
        self.desk.wake()
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))

    # -- beside the desk ---------------------------------------------------------------------------------------------

    def _renew_leases(self) -> None:
        presence = Presence(self.owner)
        while not self.desk.left.wait(self._lease / 3):
            if time.monotonic() - self.desk.turned_at > STUCK_AFTER:
                log.error("desk_stuck", seconds=round(time.monotonic() - self.desk.turned_at))
                continue
            held = self.desk.held()
            mine = [each.claim for each in held if not each.hung]
            lost = {each.claim.id: each.claim.fence for each in held if each.hung}
            try:
                gone = claims.renew(owner=self.owner, claims=mine, lease=self._lease)
                lost |= {each.id: each.fence for each in mine if each.id in gone}
            except Exception as error:
                # Whatever it is: without this thread every execution of this process would be taken twice.
                log.warning("leases_not_renewed", error=type(error).__name__)
                connection.close()
            if lost:
                self.desk.lose(lost)
            presence.note(turned_at=self.desk.turned_at, claimed_at=self.desk.claimed_at)
        presence.leave()
        connection.close()

    def _attend_to(self, duty: Duty) -> None:
        while not self._stopping.wait(settings.ENGINE["poll_seconds"]):
            try:
                while not self._stopping.is_set() and duty.act():
                    pass
            except Exception as error:
                # It goes on as soon as the database, or a defect, lets it.
                log.warning("duty_waits", duty=duty.name, error=type(error).__name__)
            connection.close()

    def _forget(self) -> None:
        while not self._stopping.wait(settings.ENGINE["poll_seconds"] * 10):
            try:
                while not self._stopping.is_set() and retention.tick():
                    pass
            except Exception as error:
                # What is to be forgotten is still there at the next look.
                log.warning("retention_waits", error=type(error).__name__)
            connection.close()

    def _fire_schedules(self) -> None:
        while not self._stopping.wait(settings.ENGINE["poll_seconds"]):
            try:
                while not self._stopping.is_set() and fire_due():
                    pass
                brakes.release_due()
            except Exception as error:
                # Schedules go on as soon as the database, or a defect, lets them; their misfire policy says what is made up.
                log.warning("schedules_wait", error=type(error).__name__)
            connection.close()
