"""Files from outside are opened in a child process that can be killed, of 384 MiB at most, with its processor time counted.

    with guarded(Job("read", format="xlsx"), file, seconds=60) as work:
        for piece in work.pieces():  # what the child makes of the file, as bytes
            ...
    work.report.count

The child gets the open file and the job, nothing else: no environment, no other files. Whatever goes wrong is `Unreadable`.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

from engine.ports import Unavailable
from nodes.formats.content import MIB, Unreadable
from nodes.formats.job import Job, Report

MEMORY_BYTES = 384 * MIB
PIECE_BYTES = 256 * 1024
MAX_REPORT = MIB

_FROM_OUTSIDE = {signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
_BY_ITS_LIMITS = {signal.SIGABRT, signal.SIGSEGV, signal.SIGBUS}  # How a library dies that gets no memory.
_TOO_MUCH_MEMORY = (
    f"Reading the file would take more than {MEMORY_BYTES // MIB} MiB of memory. It is damaged, made to do harm, or one of its "
    "items is very large; save it in smaller parts, or as CSV or NDJSON."
)
_LATE = "The file could not be read within {seconds:.0f} seconds. Split it, or give the step more time with timeout_seconds."


class Work:
    """A child at work. `report` is complete once `pieces` have been read to their end."""

    def __init__(self, job: Job, file: IO[bytes], seconds: float) -> None:
        self.report = Report()
        self._seconds = max(seconds, 1.0)
        self._until = time.monotonic() + self._seconds
        self._said, child_says = os.pipe()
        child_reads, told = os.pipe()
        file.flush()
        file.seek(0)
        root = str(Path(__file__).resolve().parents[2])
        path = os.pathsep.join([root, *(each for each in sys.path if each)])
        try:
            self._process = subprocess.Popen(  # noqa: S603  Our own interpreter and module.
                [
                    sys.executable,
                    "-m",
                    "nodes.formats.child",
                    str(child_reads),
                    str(child_says),
                    f"{self._seconds:.0f}",
                ],
                stdin=file,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                cwd="/",
                env={"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"},
                pass_fds=(child_reads, child_says),
                bufsize=0,
                start_new_session=True,  # Ctrl-C is for the server, which ends its steps in its own time.
            )
        except BaseException:
            os.close(told)
            os.close(self._said)
            raise
        finally:
            os.close(child_reads)
            os.close(child_says)
        with contextlib.suppress(BrokenPipeError), os.fdopen(told, "wb") as pipe:
            pipe.write(json.dumps(asdict(job)).encode())

    def pieces(self) -> Iterator[bytes]:
        """What the child writes. Raises `Unreadable` when it refuses the file, needs too much memory or is late.

        Raises `Unavailable` when somebody else ended it, which says nothing of the file.
        """
        out = self._process.stdout
        if out is None:
            raise AssertionError("unreachable: the child's output is a pipe")
        while piece := self._read(out.fileno(), PIECE_BYTES):
            yield piece
        self._finish()

    def close(self) -> None:
        """End the child, whatever it is doing."""
        self._process.kill()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._process.wait()
        if self._said >= 0:
            os.close(self._said)
            self._said = -1

    def _finish(self) -> None:
        said = b""
        while len(said) < MAX_REPORT and (piece := self._read(self._said, PIECE_BYTES)):
            said += piece
        try:
            code = self._process.wait(max(self._until - time.monotonic(), 0.1))
        except subprocess.TimeoutExpired:
            raise self._late() from None
        if code == -signal.SIGXCPU:
            raise self._late()
        try:
            told: dict[str, Any] = json.loads(said)
        except ValueError:
            raise self._without_a_word(code) from None
        if "refused" in told:
            raise Unreadable(_TOO_MUCH_MEMORY if told["refused"] == "memory" else told["refused"])
        self.report = Report(**told)

    def _read(self, descriptor: int, size: int) -> bytes:
        poll = select.poll()
        poll.register(descriptor, select.POLLIN | select.POLLHUP)
        left = self._until - time.monotonic()
        if left <= 0 or not poll.poll(left * 1000):
            raise self._late()
        return os.read(descriptor, size)

    def _without_a_word(self, code: int) -> Exception:
        if -code in _FROM_OUTSIDE:
            return Unavailable("The process that read the file was ended from outside. Try again.")
        if -code in _BY_ITS_LIMITS:
            return Unreadable(_TOO_MUCH_MEMORY)
        return RuntimeError(f"The process that reads files ended with the code {code} and said nothing.")

    def _late(self) -> Unreadable:
        return Unreadable(_LATE.format(seconds=self._seconds))


@contextmanager
def guarded(job: Job, file: IO[bytes], *, seconds: float) -> Iterator[Work]:
    """A child at work on a real file (one with a descriptor), ended on leaving. `seconds` bound it from its start to its end."""
    work = Work(job, file, seconds)
    try:
        yield work
    finally:
        work.close()
