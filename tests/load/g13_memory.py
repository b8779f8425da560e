"""G13: a list of a million items, as CSV and as JSON, through a real run. The worker and the child that parses stay below
400 MiB together, by the operating system's account. `python -m tests.load.g13_memory [--short]`
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from tests.load.gates import Figures, somebody, wait_until
from tests.load.processes import Process, memory, processes, worker_kinds
from tests.load.servers import stand_alone

MOST = 400 * 2**20  # bytes
WRITTEN: dict[str, tuple[str, Callable[[int], str], str, str]] = {
    "csv": ("id,name,price\n", lambda n: f"{n},Customer {n},{n}.5\n", "", "text/csv"),
    "json": (
        "[\n",
        lambda n: f'{"," if n else ""}{{"id": "{n}", "name": "Customer {n}", "price": "{n}.5"}}\n',
        "]",
        "application/json",
    ),
}


def measure(short: bool) -> Figures:
    from executions.models import LIVE, Execution
    from tests.executions.support import flow, save, start

    items = 50_000 if short else 1_000_000
    actor = somebody("memory")
    figures: Figures = {"items": items}
    passed = True
    with processes(*worker_kinds(1)) as [worker]:
        read = {"r": ("file-processor", {"file": "{{ inputs.file }}"}), "n": ("data-transformation", {"set": {
            "count": "{{ steps.r.item_count }}"}})}  # fmt: skip
        workflow = save(actor, flow(read, "r > n", settings={"timeout_seconds": 600}))
        for kind in WRITTEN:
            file = upload(actor, kind, items)
            begun = time.monotonic()
            with peak(worker) as highest:
                run = start(actor, workflow, {"file": str(file)})
                mine = Execution.unscoped.filter(id=run.id)
                wait_until(lambda mine=mine: not mine.filter(status__in=LIVE).exists(), 300)  # type: ignore[misc]
            ended = mine.get()
            passed = passed and ended.status == "completed" and ended.output_data == {"count": items} and worker.alive
            passed = passed and highest() <= MOST
            figures |= {f"{kind}_peak_mib": round(highest() / 2**20), f"{kind}_s": round(time.monotonic() - begun, 1),
                        f"{kind}_status": ended.status}  # fmt: skip
    return {**figures, "passed": passed}


def upload(actor: Any, kind: str, items: int) -> Any:
    from artefacts import services

    head, line, tail, media_type = WRITTEN[kind]
    with TemporaryFile() as file:
        file.write(head.encode())
        file.writelines(line(n).encode() for n in range(items))
        file.write(tail.encode())
        file.seek(0)
        return services.upload(actor=actor, name=f"rows.{kind}", declared_type=media_type, file=file).id


@contextmanager
def peak(worker: Process) -> Iterator[Callable[[], int]]:
    """The highest memory of a process and its children together, looked at every 20 ms."""
    highest, done = 0, threading.Event()

    def watch() -> None:
        nonlocal highest
        while not done.wait(0.02):
            together = worker.memory()
            for child in children(worker.pid):
                try:
                    together += memory(child)
                except (OSError, StopIteration):
                    continue  # It has ended meanwhile.
            highest = max(highest, together)

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield lambda: highest
    finally:
        done.set()
        watching.join()


def children(pid: int) -> list[int]:
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            direct = [int(each) for each in (task / "children").read_text().split()]
        except OSError:
            continue
        found += [each for child in direct for each in (child, *children_or_none(child))]
    return found


def children_or_none(pid: int) -> list[int]:
    try:
        return children(pid)
    except OSError:
        return []


if __name__ == "__main__":
    stand_alone("g13_memory", measure)
