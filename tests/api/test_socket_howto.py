"""The example of `docs/howto/follow-an-execution.md`, run as it stands."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from auterity.embedded import start_runner, stop_runner
from tests.api.people import PASSWORD, Person
from tests.api.serving import Server

pytestmark = pytest.mark.django_db(transaction=True)

PAGE = Path(__file__).resolve().parents[2] / "docs" / "howto" / "follow-an-execution.md"


def example(language: str) -> str:
    return next(re.finditer(rf"```{language}\n(.*?)```", PAGE.read_text(), re.DOTALL)).group(1)


def test_the_python_example_follows_an_execution_to_its_end(
    server: Server, ann: Person, run: str, tmp_path: Path
) -> None:
    script = tmp_path / "follow.py"
    script.write_text(example("python"))
    site = f"http://127.0.0.1:{server.port}"
    command = [sys.executable, str(script), site, ann.email, PASSWORD, run]
    runner = start_runner()
    try:
        told = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    finally:
        stop_runner(runner)
    lines = [line.split() for line in told.splitlines()]
    assert [line[0] for line in lines] == [str(at) for at in range(1, len(lines) + 1)]
    assert lines[-1][1:3] == ["completed", "100.0"]


# Stands in for a browser's socket where node has none: it is told what a browser would be told.
BROWSER = """
globalThis.WebSocket ??= class { constructor(address, protocols) {
  console.log(address, protocols[0]);
  setTimeout(() => { this.onmessage({ data: JSON.stringify({ type: "execution_status", event: "ended", seq: 7 }) }); }, 0); }
  close(code) { this.onclose({ code }); } };
follow(process.argv[2], process.argv[3], process.argv[4], (frame) => {
  if (frame.event === "ended") console.log("ended at", frame.seq); });
"""


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
def test_the_browser_example_buys_a_ticket(
    server: Server, ann: Person, worker: None, run: str, token: str, tmp_path: Path
) -> None:
    script = tmp_path / "follow.mjs"
    script.write_text(example("js") + BROWSER)
    command = ["node", str(script), f"http://127.0.0.1:{server.port}", token, run]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stderr[-2000:]
    assert ran.stdout.splitlines()[-1].startswith("ended at")
