"""What size costs: long chains, wide fans, large graphs, and many stored executions, each beside a small one."""

from __future__ import annotations

import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import psycopg

from tests.load.customer import Client, pure
from tests.load.machine import ROOT

ROUNDS = 30


def of_runs(client: Client, steps: int = 1000) -> dict[str, float]:
    """Seconds that a run takes, with so many steps in a row and side by side, beside a tenth of them."""
    figures: dict[str, float] = {}
    for shape, make in (("chain", client.chain), ("fan", client.fan)):
        small, large = make(steps // 10), make(steps)
        took = {}
        for name, workflow in (("small", small), ("large", large)):
            client.run(workflow)  # The plan is compiled.
            took[name] = statistics.median(client.run(workflow) for _ in range(3))
        figures[f"{shape}_{steps}_s"] = round(took["large"], 3)
        figures[f"{shape}_times_a_tenth"] = round(took["large"] / took["small"], 1)
    return figures


def of_graphs() -> dict[str, float]:
    """Seconds to compile 10,000 nodes with 50,000 edges, beside a tenth of both, in a process set up like a serving one."""
    from auterity.kernel.memory import settle_in
    from engine.graph import compile_graph
    from engine.registry import NODES, discover

    if not len(NODES):
        discover("nodes")
    settle_in()
    took = []
    for size in (1000, 10_000):
        definition = acyclic(size, 5 * size)
        times = []
        for _ in range(3):
            begun = time.process_time()
            compile_graph(definition)
            times.append(time.process_time() - begun)
        took.append(min(times))
    return {"compile_10000_s": round(took[1], 3), "compile_times_a_tenth": round(took[1] / took[0], 1)}


def acyclic(nodes: int, edges: int) -> dict[str, Any]:
    draw = random.Random(7)
    pairs = {(at, at + 1) for at in range(nodes - 1)}
    while len(pairs) < edges:
        first = draw.randrange(nodes - 1)
        pairs.add((first, draw.randrange(first + 1, min(nodes, first + 200))))
    return {
        "nodes": [pure(f"n{at}") for at in range(nodes)],
        "edges": [{"id": f"{a}-{b}", "source_node_id": f"n{a}", "target_node_id": f"n{b}"} for a, b in sorted(pairs)],
    }


def of_the_store(client: Client, url: str, workflow: str, many: int) -> dict[str, float]:
    """Times of lists and details with a thousand executions stored, and with `many`: their ratios are the figure."""
    few = looks(client, url, workflow, up_to=1000)
    environment = {**os.environ, "DATABASE_URL": url}
    command = [sys.executable, "-m", "tests.load.stored", workflow, str(many)]
    subprocess.run(command, cwd=ROOT, env=environment, check=True)
    lots = looks(client, url, workflow, up_to=many)
    figures: dict[str, float] = {"stored": many}
    for name, seconds in lots.items():
        figures[f"{name}_ms"] = round(1000 * seconds, 2)
        figures[f"{name}_times_a_thousand"] = round(seconds / few[name], 2)
    return figures


def looks(client: Client, url: str, workflow: str, up_to: int) -> dict[str, float]:
    with psycopg.connect(url, autocommit=True) as connection:
        rows = connection.execute(
            "SELECT id FROM workflow_executions WHERE workflow_id = %s AND status = 'completed' LIMIT 50", [workflow]
        ).fetchall()
    each = [str(row[0]) for row in rows]
    base = f"/api/workflows/{workflow}/executions"
    asked: dict[str, Callable[[], str]] = {
        "list": lambda: f"{base}?limit=20",
        "filter": lambda: f"{base}?limit=20&status=completed",
        "filter_none": lambda: f"{base}?limit=20&status=failed",
        "detail": lambda: f"/api/workflows/executions/{random.choice(each)}",
        "steps": lambda: f"/api/workflows/executions/{random.choice(each)}/steps",
    }
    return {name: median_of(client, path) for name, path in asked.items()}


def median_of(client: Client, path: Callable[[], str]) -> float:
    times = []
    for _ in range(ROUNDS):
        begun = time.monotonic()
        client.call("GET", path())
        times.append(time.monotonic() - begun)
    return statistics.median(times)
