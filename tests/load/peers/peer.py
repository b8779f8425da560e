"""What the bench needs of a peer that is up, and how it is measured: the same for each of them."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.load.customer import CLIENTS, percentiles
from tests.load.machine import cpu_seconds, memory_mb, process, wait_until
from tests.load.peers.install import FOLDER, Absent

PROGRAMS = Path(__file__).resolve().parent / "programs"
Work = Callable[[int, int], list[float]]  # so many callers, so often each: the seconds of every call
Figures = dict[str, float]


@dataclass(frozen=True)
class Peer:
    version: str
    processes: tuple[subprocess.Popen[bytes], ...]
    run: Work  # calls that wait for the execution's end
    saved: Callable[[], int]  # executions that its database holds as completed
    accept: Work | None = None  # calls that do not wait, where it has such
    ready_s: float | None = None  # from its start to its own word that it is ready, migrated before


def measure(peer: Peer, alone: int, each: int) -> Figures:
    """One caller at a time, then twenty at once, until the last execution is saved."""
    given = len(peer.run(CLIENTS, min(each, 10)))  # Warm: 200 calls, as for ours.
    given += alone
    figures = percentiles("ms_1", peer.run(1, alone))
    rates = []
    for work in (peer.run, peer.accept):
        if work is not None:
            wait_until(lambda: peer.saved() >= given)  # noqa: B023  It is called here and now.
            rates.append(rate(peer, work, each, given))
            given += CLIENTS * each
    figures |= rates[0]  # Its calls wait for the end, so their times are of whole executions.
    figures["per_s"] = max(each["per_s"] for each in rates)
    figures["cpu_ms_each"] = min(each["cpu_ms_each"] for each in rates)
    figures["memory_mb"] = memory_mb(*peer.processes)
    return figures if peer.ready_s is None else {**figures, "ready_s": round(peer.ready_s, 2)}


def rate(peer: Peer, work: Work, each: int, given: int) -> Figures:
    count = CLIENTS * each
    begun, cpu = time.monotonic(), cpu_seconds(*peer.processes)
    seconds = work(CLIENTS, each)
    wait_until(lambda: peer.saved() >= given + count)
    took, used = time.monotonic() - begun, cpu_seconds(*peer.processes) - cpu
    return {
        **percentiles(f"ms_{CLIENTS}", seconds),
        "per_s": round(count / took, 1),
        "cpu_ms_each": round(1000 * used / count, 2),
    }


@contextmanager
def server(name: str, command: list[str], environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """A peer's process, whose words go to .data/peers/NAME.log."""
    with (FOLDER / f"{name}.log").open("wb") as log, process(command, environment, stdout=log, stderr=log) as running:
        yield running


def wait_until_ready(name: str, running: subprocess.Popen[bytes], ready: Callable[[], bool]) -> float:
    """Seconds until it is. Raises Absent when it ends or takes more than four minutes."""
    begun = time.monotonic()
    while not ready():
        if running.poll() is not None:
            words = (FOLDER / f"{name}.log").read_text(errors="replace").strip().splitlines()
            raise Absent(f"it ended with {running.returncode}: {' / '.join(words[-3:])[:400]}")
        if time.monotonic() - begun > 240:
            raise Absent("it was not ready after four minutes")
        time.sleep(0.05)
    return time.monotonic() - begun


class Program:
    """One of the programs beside this file, in a peer's own Python: it is asked by lines of JSON and answers so."""

    def __init__(self, running: subprocess.Popen[bytes]) -> None:
        self.process = running
        self.version = str(self._answer())

    def work(self, callers: int, each: int) -> list[float]:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps([callers, each]).encode() + b"\n")
        self.process.stdin.flush()
        seconds: list[float] = self._answer()
        return seconds

    def _answer(self) -> Any:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise Absent(f"its program ended with {self.process.wait(60)}; see .data/peers/program.log")
        return json.loads(line)


@contextmanager
def program(name: str, python: Path, environment: dict[str, str]) -> Iterator[Program]:
    """Started, and ready for work."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    command = [str(python), str(PROGRAMS / f"{name}.py")]
    with (FOLDER / "program.log").open("wb") as log, process(command, environment, stderr=log, **pipes) as running:
        yield Program(running)
