"""The short forms of the gates. Those that stop servers run as programs, on servers of their own; the others on the test's."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.load import g03_stopped, g04_clock, g06_deploy, g07_duplicates, g09_waits, g13_memory, g14_sockets

ROOT = Path(__file__).resolve().parents[2]

pytestmark = [pytest.mark.load, pytest.mark.timeout(300)]
production = pytest.mark.postgres


@pytest.mark.parametrize(
    "gate",
    [
        pytest.param(g03_stopped, id="stopped", marks=production),  # One that is stopped with SQLite's lock stops all.
        pytest.param(g04_clock, id="clock", marks=production),  # SQLite has no clock but the machine's.
        pytest.param(g06_deploy, id="deploy", marks=production),
        pytest.param(g07_duplicates, id="duplicates", marks=production),
        pytest.param(g09_waits, id="waits"),
        pytest.param(g13_memory, id="memory"),
        pytest.param(g14_sockets, id="sockets"),
    ],
)
def test_the_gate_is_passed(transactional_db: None, settings: Any, gate: Any) -> None:
    settings.EGRESS_ALLOW = ["127.0.0.1"]
    figures = gate.measure(True)
    print(json.dumps(figures))
    assert figures["passed"], figures


@pytest.mark.parametrize("gate", ["g01_chaos", pytest.param("g05_recovery", marks=production)])
def test_the_gate_is_passed_on_servers_of_its_own(gate: str) -> None:
    command = [sys.executable, "-m", f"tests.load.{gate}", "--short"]
    ran = subprocess.run(command, cwd=ROOT, env=dict(os.environ), capture_output=True, text=True, check=False)
    if (
        ran.returncode and gate == "g05_recovery"
    ):  # It is about time, which a busy machine takes: measured twice at most.
        ran = subprocess.run(command, cwd=ROOT, env=dict(os.environ), capture_output=True, text=True, check=False)
    assert ran.returncode == 0, f"{ran.stdout[-4000:]}\n{ran.stderr[-4000:]}"
    figures = json.loads(ran.stdout.splitlines()[-1])
    assert (figures["gate"], figures["passed"]) == (gate, True)
