"""What the bench aims at: ratios to the machine's own limits, to a small case, and to the peers."""

from __future__ import annotations

from typing import NamedTuple

Figures = dict[str, float]

# What was measured of the peers in another run, on a machine like this one: the middle of each span.
EARLIER: Figures = {"n8n_per_s": 25.0, "n8n_cpu_ms_each": 48.0, "n8n_ms_1_p50": 70.0, "dbos_per_s": 20.0}


class Target(NamedTuple):
    what: str
    wanted: str
    found: float | None  # None where the peer that it is measured by is not there
    met: bool | None


def targets(ours: Figures, peers: Figures) -> list[Target]:
    """What was aimed at, what it is, and whether that is enough. `peers` holds what is known of them, by names as in EARLIER."""
    backlog = max(value for name, value in ours.items() if name.startswith("backlog_per_s_"))
    return [
        at_least(10, "over HTTP, times n8n's executions/s", ours["executions_per_s"], peers.get("n8n_per_s")),
        at_least(30, "from a backlog, times n8n's executions/s", backlog, peers.get("n8n_per_s")),
        at_least(25, "from a backlog, times DBOS's executions/s", backlog, peers.get("dbos_per_s")),
        at_least(0.5, "from a backlog, part of one-row commits at 8 clients", backlog, ours["commits_per_s_8"]),
        at_most(0.1, "over HTTP, part of n8n's CPU-ms", ours["cpu_ms_each"], peers.get("n8n_cpu_ms_each")),
        at_most(
            0.5, "accept to completed, alone, part of n8n's p50", ours["answer_ms_1_p50"], peers.get("n8n_ms_1_p50")
        ),
        at_most(100, "accept to completed, alone, p99 in ms", ours["answer_ms_1_p99"]),
        at_most(0.5, "memory of API and worker, part of n8n's", ours["memory_mb"], peers.get("n8n_memory_mb")),
        at_most(0.2, "start of the API, part of n8n's", ours["ready_s"], peers.get("n8n_ready_s")),
        at_most(12, "compile, times a graph of a tenth", ours["compile_times_a_tenth"]),
        at_most(12, "a chain of steps, times one of a tenth", ours["chain_times_a_tenth"]),
        at_most(12, "a fan of steps, times one of a tenth", ours["fan_times_a_tenth"]),
        *(
            at_most(1.5, f"{name.partition('_times')[0]}, times its time at a thousand stored", value)
            for name, value in ours.items()
            if name.endswith("_times_a_thousand")
        ),
    ]


def at_least(wanted: float, what: str, figure: float, beside: float | None = 1.0) -> Target:
    found = None if beside is None else figure / beside
    return Target(what, f">= {wanted}", found, None if found is None else found >= wanted)


def at_most(wanted: float, what: str, figure: float, beside: float | None = 1.0) -> Target:
    found = None if beside is None else figure / beside
    return Target(what, f"<= {wanted}", found, None if found is None else found <= wanted)
