"""Real worker processes on the test's database, to be killed; and the other side they call."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from django.db import connection

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = {
    "embedded": [sys.executable, "-m", "tests.executions.worker"],
    "celery": [
        *(sys.executable, "-m", "celery", "-A", "auterity.celery", "worker"),
        *("--pool", "threads", "--concurrency", "2", "--without-gossip", "--without-mingle", "--loglevel", "ERROR"),
    ],
}


class Worker:
    """One process at a time."""

    def __init__(self, kind: str, log: Path, **engine: Any) -> None:
        self._command = COMMANDS[kind]
        self._log = log
        self._environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "tests.executions.worker_settings",
            "TRIAL": json.dumps({"database": str(connection.settings_dict["NAME"]), "engine": engine}),
        }
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, cwd=ROOT, env=self._environment, stdout=log, stderr=subprocess.STDOUT
            )

    @property
    def exit_code(self) -> int | None:
        assert self._process is not None
        return self._process.poll()

    def kill(self) -> None:
        """As `kill -9` does: nothing in the process gets to know."""
        assert self._process is not None
        assert self._process.poll() is None, self._log.read_text()
        self._process.send_signal(signal.SIGKILL)
        assert self._process.wait(10) == -signal.SIGKILL

    def stop(self) -> int:
        """Ask it to end, and return its exit code."""
        assert self._process is not None
        self._process.terminate()
        return self._process.wait(30)

    def close(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait(10)


@contextmanager
def worker(kind: str, log: Path, **engine: Any) -> Iterator[Worker]:
    made = Worker(kind, log, **engine)
    try:
        yield made
    finally:
        made.close()


class Sink:
    """The other side of an HTTP call: keeps every Idempotency-Key it was sent, and takes a moment to answer."""

    def __init__(self, seconds: float) -> None:
        self._lock = threading.Lock()
        self.keys: Counter[str] = Counter()
        self.calls = 0
        self.open = 0
        sink = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                with sink._lock:
                    sink.keys[self.headers["Idempotency-Key"]] += 1
                    sink.calls += 1
                    sink.open += 1
                try:
                    body = self.rfile.read(int(self.headers["Content-Length"]))
                    time.sleep(seconds)
                    self.send_response(200)
                    self.send_header("Content-Type", "application/json")
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)
                except OSError:
                    pass  # The caller was killed.
                finally:
                    with sink._lock:
                        sink.open -= 1

            def log_message(self, *_about: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            request_queue_size = 256
            daemon_threads = True

            def handle_error(self, *_about: Any) -> None:
                pass

        self._server = Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/sink"

    def __enter__(self) -> Sink:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
