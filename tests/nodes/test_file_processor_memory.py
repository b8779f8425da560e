"""A million items in 400 MiB: the node runs in a process of its own, whose peak memory is measured with its child's."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
MIB = 1024 * 1024
MOST = 400 * MIB
ITEMS = 1_000_000

# Files are on disk here too: what is measured is the node, not a port in memory.
PROGRAM = """
import json, resource, sys
from contextlib import contextmanager
from pathlib import Path
from engine.registry import discover
from engine.testing import FakeStep, memory_ports, run_node
from dataclasses import replace

discover("nodes")
folder, config = Path(sys.argv[1]), json.loads(sys.argv[2])

class OnDisk:
    @contextmanager
    def open(self, file_id):
        with (folder / file_id).open("rb") as file:
            class Reader:
                name, media_type, size, read = file_id, "", 0, staticmethod(file.read)
            yield Reader()

    def store(self, name, media_type, chunks, *, key):
        with (folder / "stored").open("wb") as file:
            for piece in chunks:
                file.write(piece)
        return "stored"

step = FakeStep(ports=replace(memory_ports(), files=OnDisk()), timeout=100.0)
outcome = run_node("file-processor", config, step)
# Not ru_maxrss for ourselves: Linux hands the parent's down to a new program.
own = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
peaks = [int(own.split()[1]) * 1024, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024]
told = {name: value for name, value in outcome.output.items() if name != "items"} if hasattr(outcome, "output") else str(outcome)
print(json.dumps({"peaks": peaks, "output": told, "held": len(getattr(outcome, "output", {}).get("items", []))}))
"""


def run(folder: Path, **config: Any) -> dict[str, Any]:
    command = [sys.executable, "-c", PROGRAM, str(folder), json.dumps(config)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=110, check=False)
    assert ran.returncode == 0, ran.stderr
    found: dict[str, Any] = json.loads(ran.stdout)
    assert sum(found["peaks"]) < MOST, found
    print(json.dumps({"peak_mib": [round(each / MIB) for each in found["peaks"]], **config}))
    return found


def lines_of(path: Path) -> tuple[int, bytes]:
    count, line = 0, b""
    with path.open("rb") as file:
        for each in file:
            count, line = count + 1, each
    return count, line


WRITTEN = {
    "csv": ("id,name,price\n", lambda n: f"{n},Customer {n},{n}.5\n", ""),
    "json": ("[\n", lambda n: f'{"," if n else ""}{{"id": "{n}", "name": "Customer {n}", "price": "{n}.5"}}\n', "]"),
}


@pytest.mark.parametrize("kind", WRITTEN)
def test_a_million_items_are_read(kind: str, tmp_path: Path) -> None:
    head, line, tail = WRITTEN[kind]
    with (tmp_path / f"rows.{kind}").open("w") as file:
        file.write(head)
        file.writelines(map(line, range(ITEMS)))
        file.write(tail)
    found = run(tmp_path, file=f"rows.{kind}")
    about = {"item_count": ITEMS, "format": kind, "problems": [], "artefact": "stored", "truncated": True}
    assert found["output"] == about
    assert 1000 < found["held"] < ITEMS
    count, last = lines_of(tmp_path / "stored")
    assert count == ITEMS
    assert json.loads(last) == {"id": "999999", "name": "Customer 999999", "price": "999999.5"}


def test_a_million_items_are_written_as_csv(tmp_path: Path) -> None:
    with (tmp_path / "rows.ndjson").open("w") as file:
        file.writelines(f'{{"id": {n}, "name": "Customer {n}"}}\n' for n in range(ITEMS))
    found = run(tmp_path, operation="write", format="csv", file="rows.ndjson")
    assert found["output"]["item_count"] == ITEMS
    assert lines_of(tmp_path / "stored") == (ITEMS + 1, b"999999,Customer 999999\r\n")


def test_a_file_that_needs_more_is_stopped(tmp_path: Path) -> None:
    """One item of 300 MiB: the child ends at its limit, and the worker around it never held any of it."""
    (tmp_path / "one.xml").write_bytes(b"<a>" + b"x" * (300 * MIB) + b"</a>")
    found = run(tmp_path, file="one.xml")
    assert "more than 384 MiB of memory" in found["output"]
