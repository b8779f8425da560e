"""Real processes of the product on the gate's database, to be stopped, continued, killed and started again."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from tests.load.servers import free_port, listening, wait_for

ROOT = Path(__file__).resolve().parents[2]
_CELERY = [sys.executable, "-m", "celery", "-A", "auterity.celery"]
COMMANDS = {
    "embedded": [sys.executable, "-m", "tests.executions.worker"],
    "celery": [
        *(*_CELERY, "worker", "--pool", "threads", "--concurrency", "2", "--loglevel", "ERROR"),
        *("--without-gossip", "--without-mingle", "--hostname"),
    ],
    "beat": [*_CELERY, "beat", "--loglevel", "ERROR", "--pidfile", "", "--schedule"],
    "web": [sys.executable, "manage.py", "serve", "--port"],
}


class Process:
    """One process at a time, started again under the same name."""

    def __init__(self, kind: str, folder: Path, *, clock: float = 0.0, fake_time: str = "", **engine: Any) -> None:
        from django.conf import settings
        from django.db import connection

        self.kind = kind
        self.name = f"{kind}-{random.randrange(10**9)}"
        self.port = free_port() if kind == "web" else 0
        last = {"celery": [f"{self.name}@%h"], "beat": [str(folder / self.name)], "web": [str(self.port)]}
        self._command = [*COMMANDS[kind], *last.get(kind, [])]
        self.refused = folder / "refused"
        self.log = folder / f"{self.name}.log"
        told = {
            "database": str(connection.settings_dict["NAME"]), "engine": engine, "refused": str(self.refused),
            "files": str(settings.ARTEFACTS["folder"]), "clock": 0.0 if fake_time else clock,
        }  # fmt: skip
        self._environment = {
            **os.environ, "DJANGO_SETTINGS_MODULE": "tests.load.worker_settings", "TRIAL": json.dumps(told),
            "AUTERITY_RATE_LIMITS": "off",
        }  # fmt: skip
        if fake_time and clock:
            faked = {"LD_PRELOAD": fake_time, "FAKETIME": f"{clock:+.0f}", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
            self._environment |= faked
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, cwd=ROOT, env=self._environment, stdout=log, stderr=subprocess.STDOUT
            )

    def wait_until_listening(self) -> None:
        wait_for(lambda: listening(self.port), f"The web server ({self.log.read_text()[-400:]})", 120)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        """As `kill -9` does: nothing in the process gets to know."""
        self.signal(signal.SIGKILL)
        assert self._process is not None
        assert self._process.wait(10) == -signal.SIGKILL

    def stop(self) -> int:
        """Ask it to end as a deploy does, and return its exit code."""
        self.signal(signal.SIGTERM)
        assert self._process is not None
        return self._process.wait(60)

    def close(self) -> None:
        if self.alive:
            self.kill()

    # -- what it holds -----------------------------------------------------------------------------------------------

    def held(self) -> dict[Any, int]:
        """The executions whose lease it has, with the fence under which it has them."""
        from executions.models import LIVE, Execution

        rows = Execution.unscoped.filter(lease_owner__contains=f":{self.pid}:", status__in=LIVE)
        return dict(rows.values_list("id", "fence"))

    def mid_step(self) -> int:
        """How many steps are recorded as begun by it and not as ended."""
        from executions.models import LIVE, ExecutionStep

        theirs = {"execution__lease_owner__contains": f":{self.pid}:", "execution__status__in": LIVE}
        return ExecutionStep.objects.filter(status="running", **theirs).count()

    def memory(self, field: str = "VmRSS") -> int:
        """Bytes, by the operating system's account: VmRSS now, VmHWM at its highest."""
        return memory(self.pid, field)

    def cpu_seconds(self) -> float:
        """User and system time so far, by the operating system's account."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory(pid: int, field: str = "VmRSS") -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(each for each in lines if each.startswith(f"{field}:")).split()[1]) * 1024


def stopped_mid_step(candidates: Sequence[Process], seconds: float = 60.0) -> Process | None:
    """One of them, stopped (SIGSTOP) at a random moment at which it had steps under way. None when none had in that time."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        time.sleep(random.uniform(0.0, 0.05))
        victim = random.choice([each for each in candidates if each.alive])
        victim.signal(signal.SIGSTOP)
        if victim.mid_step():
            return victim
        victim.signal(signal.SIGCONT)
    return None


@contextmanager
def processes(*kinds: str, clocks: Sequence[float] = (), **engine: Any) -> Iterator[list[Process]]:
    """Started processes of these kinds, and in this process the node types they have. `clocks` are seconds off, one each."""
    from tests.executions.trial_nodes import trial_nodes

    with tempfile.TemporaryDirectory() as folder, trial_nodes(), ExitStack() as stack:
        offs = clocks or [0.0] * len(kinds)
        made = [Process(kind, Path(folder), clock=off, **engine) for kind, off in zip(kinds, offs, strict=True)]
        for each in made:
            stack.callback(each.close)
            each.start()
        for each in made:
            if each.kind == "web":
                each.wait_until_listening()
        yield made


def worker_kinds(count: int) -> list[str]:
    """As many workers, of every kind that this database can have."""
    from django.conf import settings

    return ["embedded"] * count if settings.EMBEDDED else [("celery", "embedded")[at % 2] for at in range(count)]
