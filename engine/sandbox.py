"""A guarded child process for expressions that loop or could grow large (DEPENDENCIES, "Expressions").

`map filter all exists exists_one` can be nested so that 400 characters fill gigabytes, and nothing can interrupt the
engine. So these run in a child of 600 MB at most, which is killed when it is late, and started anew when needed.
It gets the rewritten expression and the values this names, nothing else: no environment, no files.

Frames both ways: four bytes of length, big-endian, then JSON. Run as `python -m engine.sandbox`.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import resource
import select
import signal
import struct
import subprocess
import sys
import threading
import time
from functools import lru_cache
from pathlib import Path
from typing import IO, Any, Literal, cast

from engine.expression_cel import CompileFailed, EvaluationFailed, Program, compile_cel, evaluate

WALL_SECONDS = 0.18  # for one evaluation, which with sending and receiving has 0.2
STARVED_SECONDS = 2.0  # the same where the machine gives the child no processor; its processor time stays within 0.18
START_SECONDS = 20.0
MEMORY_BYTES = 600 * 1024 * 1024
CHILDREN = 2
FRAME_BYTES = 64 * 1024 * 1024

Reason = Literal["time", "memory", "size", "lost"]
_LENGTH = struct.Struct(">I")
_FATAL = {signal.SIGABRT, signal.SIGSEGV, signal.SIGBUS}


class SandboxStopped(Exception):
    """The evaluation was stopped: too long, too much memory, too large to hand over, or the child was lost twice."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason: Reason = reason


class _Late(Exception):
    pass


class _Gone(Exception):
    pass


class _Child:
    """One child process; used by one thread at a time."""

    def __init__(self) -> None:
        root = str(Path(__file__).resolve().parents[1])
        path = os.pathsep.join([root, *(each for each in sys.path if each)])
        self.process = subprocess.Popen(
            [sys.executable, "-m", "engine.sandbox"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env={"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"},
            bufsize=0,
        )
        self.into, self.out = _descriptor(self.process.stdin), _descriptor(self.process.stdout)
        os.set_blocking(self.into, False)
        os.set_blocking(self.out, False)
        self._receive(START_SECONDS, START_SECONDS)

    def ask(self, frame: bytes) -> dict[str, Any]:
        """Raises `_Late` or `_Gone`; the child is of no use afterwards."""
        self._send(_LENGTH.pack(len(frame)) + frame)
        return cast("dict[str, Any]", self._receive(WALL_SECONDS, STARVED_SECONDS))

    def _send(self, frame: bytes) -> None:
        rest = memoryview(frame)
        deadline = time.monotonic() + START_SECONDS
        while rest:
            _wait(self.into, select.POLLOUT, deadline - time.monotonic())
            try:
                rest = rest[os.write(self.into, rest) :]
            except BlockingIOError:
                continue
            except OSError:
                raise _Gone from None

    def _receive(self, seconds: float, starved: float) -> Any:
        """One frame. Late is who has used `seconds` of wall time, unless the processor went to others meanwhile."""
        begun, used = time.monotonic(), self._processor_seconds()
        data = b""
        wanted = _LENGTH.size
        while len(data) < wanted:
            passed = time.monotonic() - begun
            try:
                _wait(self.out, select.POLLIN, max(seconds - passed, 0.02))
            except _Late:
                if passed >= starved or self._processor_seconds() - used >= seconds * 0.8:
                    raise
                continue
            data += self._read()
            if wanted == _LENGTH.size and len(data) >= wanted:
                wanted += _LENGTH.unpack_from(data)[0]
        return json.loads(data[_LENGTH.size :])

    def _read(self) -> bytes:
        try:
            data = os.read(self.out, 1 << 20)
        except BlockingIOError:
            return b""
        if not data:
            raise _Gone
        return data

    def _processor_seconds(self) -> float:
        """What the child has computed so far; infinite where the system does not tell."""
        try:
            stat = Path(f"/proc/{self.process.pid}/stat").read_text()
        except OSError:
            return float("inf")
        user, system = stat.rsplit(")", 1)[1].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def close(self) -> int:
        """Kill it and say how it ended."""
        self.process.kill()
        self.abandon()
        return self.process.wait()

    def abandon(self) -> None:
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()

    def ended(self) -> int | None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self.process.wait(timeout=0.5)
        return None


def _descriptor(pipe: IO[bytes] | None) -> int:
    if pipe is None:
        raise _Gone
    return pipe.fileno()


def _wait(descriptor: int, event: int, seconds: float) -> None:
    poll = select.poll()
    poll.register(descriptor, event)
    if not poll.poll(max(seconds, 0) * 1000):
        raise _Late


class Sandbox:
    """At most two children, shared by all threads of this process and started when first needed."""

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self._slots = threading.BoundedSemaphore(CHILDREN)
        self._lock = threading.Lock()
        self._idle: list[_Child] = []
        self._all: set[_Child] = set()

    def evaluate(self, text: str, data: dict[str, Any]) -> Any:
        """The value of a rewritten expression. Raises `EvaluationFailed` in the engine's words, or `SandboxStopped`."""
        frame = json.dumps([text, data]).encode()
        if len(frame) > FRAME_BYTES:
            raise SandboxStopped("size")
        with self._slots:
            answer = self._ask(frame, again=True)
        if "stopped" in answer:
            raise SandboxStopped(answer["stopped"])
        if "error" in answer:
            raise EvaluationFailed(answer["error"])
        return answer["value"]

    def _ask(self, frame: bytes, *, again: bool) -> dict[str, Any]:
        """A child that vanished for no fault of the expression, such as one killed from outside, is replaced once."""
        child = None
        try:
            child = self._take()
            answer = child.ask(frame)
        except _Late:
            self._drop(child)
            raise SandboxStopped("time") from None
        except _Gone:
            code = child.ended() if child else None
            self._drop(child)
            if code is not None and -code in _FATAL:
                raise SandboxStopped("memory") from None
            if code is not None and -code == signal.SIGALRM:
                raise SandboxStopped("time") from None
            if again:
                return self._ask(frame, again=False)
            raise SandboxStopped("lost") from None
        except BaseException:
            self._drop(child)
            raise
        with self._lock:
            self._idle.append(child)
        return answer

    def _take(self) -> _Child:
        with self._lock:
            if self._idle:
                return self._idle.pop()
        child = _Child()
        with self._lock:
            self._all.add(child)
        return child

    def _drop(self, child: _Child | None) -> None:
        if child is not None:
            with self._lock:
                self._all.discard(child)
            child.close()

    def pids(self) -> list[int]:
        """The children there are."""
        with self._lock:
            return [child.process.pid for child in self._all]

    def close(self) -> None:
        """End the children; the next evaluation starts new ones."""
        with self._lock:
            children, self._all, self._idle = self._all, set(), []
        for child in children:
            child.close()

    def forget(self) -> None:
        """After a fork: the children belong to the parent, so only let go of their pipes."""
        children = self._all
        self._begin()
        for child in children:
            child.abandon()
            child.process.returncode = 0


SANDBOX = Sandbox()
atexit.register(SANDBOX.close)
os.register_at_fork(after_in_child=SANDBOX.forget)


# The child


@lru_cache(maxsize=512)
def _compiled(text: str) -> Program:
    return compile_cel(text, looping=True)


def _answer(frame: bytes) -> dict[str, Any]:
    try:
        text, data = json.loads(frame)
        return {"value": evaluate(_compiled(text), data)}
    except (EvaluationFailed, CompileFailed) as error:
        return {"error": str(error)}
    except MemoryError:
        return {"stopped": "memory"}


def _read_exactly(size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        part = os.read(0, min(size - len(data), 1 << 20))
        if not part:
            os._exit(0)  # the parent is gone
        data += part
    return bytes(data)


def _write(answer: Any) -> None:
    frame = json.dumps(answer).encode()
    rest = memoryview(_LENGTH.pack(len(frame)) + frame)
    while rest:
        rest = rest[os.write(1, rest) :]


def main() -> None:
    """Answer until the parent closes the pipe. A timer ends the process should the parent vanish during a long loop."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    compile_cel("1", looping=True)
    _write("ready")
    while True:
        frame = _read_exactly(_LENGTH.unpack(_read_exactly(_LENGTH.size))[0])
        signal.setitimer(signal.ITIMER_REAL, STARVED_SECONDS * 2)
        answer = _answer(frame)
        signal.setitimer(signal.ITIMER_REAL, 0)
        _write(answer)


if __name__ == "__main__":
    main()
