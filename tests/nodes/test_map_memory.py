"""A million items through `map` in 400 MiB: in a process of its own, whose peak memory is measured."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MIB = 1024 * 1024
ITEMS = 1_000_000

PROGRAM = """
import json, sys
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from engine.registry import discover
from engine.testing import FakeStep, memory_ports, run_node

discover("nodes")
folder = Path(sys.argv[1])

class OnDisk:
    @contextmanager
    def open(self, file_id, *, start=0):
        with (folder / file_id).open("rb") as file:
            class Reader:
                name, media_type, size, read = file_id, "", 0, staticmethod(file.read)
            yield Reader()

    def store(self, name, media_type, chunks, *, key):
        with (folder / "stored").open("wb") as file:
            for piece in chunks:
                file.write(piece)
        return "stored"

made = {"id": "{{ item.id }}", "name": "{{ item.name }}"}
body = {"nodes": [{"id": "x", "type": "data-transformation", "config": {"set": made}}], "edges": []}
config = {"items": "rows.ndjson", "workflow": body, "where": "item.id % 2 == 0",
          "totals": {"paid": {"fn": "sum", "of": "item.price"}, "n": {"fn": "count"}}}
step = FakeStep(ports=replace(memory_ports(), files=OnDisk()), timeout=600.0)
outcome = run_node("map", config, step)
peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
output = outcome.output
print(json.dumps({"peak": int(peak.split()[1]) * 1024, "held": len(output.pop("results")), "output": output}))
"""


@pytest.mark.timeout(400)
def test_a_million_items_are_gone_through(tmp_path: Path) -> None:
    with (tmp_path / "rows.ndjson").open("w") as file:
        file.writelines(f'{{"id": {n}, "name": "Customer {n}", "price": {n}.5}}\n' for n in range(ITEMS))
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout)
    assert found["peak"] < 400 * MIB, found
    assert found["output"] == {
        "errors": [],
        "count": ITEMS // 2,
        "file": "stored",
        "truncated": True,
        "totals": {"paid": sum(range(0, ITEMS, 2)) + ITEMS / 4, "n": ITEMS // 2},
    }
    assert 1000 < found["held"] < ITEMS // 2
    with (tmp_path / "stored").open("rb") as file:
        count, line = 0, b""
        for each in file:
            count, line = count + 1, each
    assert count == ITEMS // 2
    assert json.loads(line) == {"id": ITEMS - 2, "name": f"Customer {ITEMS - 2}"}
