"""Figures of the machine and of this process (001, System Metrics, `system`). Percent, seconds, bytes."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
from django.conf import settings

FRESH_SECONDS = 2.0
FIRST_SECONDS = 0.1  # how long the first look at the processors takes


@dataclass(frozen=True, slots=True)
class Usage:
    """`uptime`: seconds since this process began."""

    uptime: float
    cpu: float
    memory: float
    disk: float


@dataclass(frozen=True, slots=True)
class Process:
    """This process alone."""

    started_at: float
    cpu_seconds: float
    resident_bytes: int
    threads: int
    open_files: int


@dataclass(frozen=True, slots=True)
class Disk:
    total: int
    free: int

    @property
    def free_percent(self) -> float:
        return round(self.free * 100 / self.total, 1) if self.total else 0.0


class Machine:
    """Remembers a look for a moment: a share of the processors' time needs two looks."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._cpu = 0.0
        self._looked_at = 0.0

    def usage(self) -> Usage:
        disk = disk_of_data()
        return Usage(
            uptime=round(time.time() - psutil.Process().create_time(), 1),
            cpu=self._processors(),
            memory=psutil.virtual_memory().percent,
            disk=round(100 - disk.free_percent, 1),
        )

    def _processors(self) -> float:
        """Since the last look, which was at least a moment ago."""
        with self._lock:
            if time.monotonic() - self._looked_at > FRESH_SECONDS:
                self._cpu = psutil.cpu_percent(interval=None if self._looked_at else FIRST_SECONDS)
                self._looked_at = time.monotonic()
            return self._cpu


def process() -> Process:
    found = psutil.Process()
    with found.oneshot():
        times = found.cpu_times()
        return Process(
            started_at=found.create_time(),
            cpu_seconds=times.user + times.system,
            resident_bytes=found.memory_info().rss,
            threads=found.num_threads(),
            open_files=found.num_fds() if hasattr(found, "num_fds") else 0,
        )


def disk_of_data() -> Disk:
    """Of the disk that the product writes to: the embedded database, the outbox, files."""
    folder = Path(settings.ENV.data_dir)
    while not folder.exists():
        folder = folder.parent
    found = psutil.disk_usage(os.fspath(folder))
    return Disk(found.total, found.free)


def open_handles(path: str) -> int:
    """How often this process has a file open: for SQLite, its connections."""
    return sum(each.path == path for each in psutil.Process().open_files())


MACHINE = Machine()
