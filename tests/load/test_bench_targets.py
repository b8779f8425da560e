"""The arithmetic of the bench's targets: a verdict that is wrong looks like any other."""

from __future__ import annotations

import pytest

from tests.load.targets import EARLIER, Target, targets

OURS = {
    "executions_per_s": 250.0,
    "cpu_ms_each": 4.8,
    "answer_ms_1_p50": 36.0,
    "answer_ms_1_p99": 100.0,
    "backlog_per_s_1": 700.0,
    "backlog_per_s_2": 1000.0,
    "backlog_per_s_4": 900.0,
    "commits_per_s_8": 4000.0,
    "memory_mb": 300.0,
    "ready_s": 2.0,
    "compile_times_a_tenth": 13.8,
    "chain_times_a_tenth": 4.0,
    "fan_times_a_tenth": 12.0,
}
N8N = {"n8n_per_s": 25.0, "n8n_cpu_ms_each": 48.0, "n8n_ms_1_p50": 70.0, "n8n_memory_mb": 600.0, "n8n_ready_s": 8.0}
DBOS = {"dbos_per_s": 50.0}


def judged(ours: dict[str, float], peers: dict[str, float]) -> dict[str, Target]:
    return {each.what: each for each in targets(ours, peers)}


def test_each_figure_is_held_against_the_peer_that_it_is_about() -> None:
    met = {what: (each.found, each.met) for what, each in judged(OURS, {**N8N, **DBOS}).items()}
    assert met == {
        "over HTTP, times n8n's executions/s": (10.0, True),
        "from a backlog, times n8n's executions/s": (40.0, True),
        "from a backlog, times DBOS's executions/s": (20.0, False),
        "from a backlog, part of one-row commits at 8 clients": (0.25, False),
        "over HTTP, part of n8n's CPU-ms": (pytest.approx(0.1), True),
        "accept to completed, alone, part of n8n's p50": (pytest.approx(36 / 70), False),
        "accept to completed, alone, p99 in ms": (100.0, True),
        "memory of API and worker, part of n8n's": (0.5, True),
        "start of the API, part of n8n's": (0.25, False),
        "compile, times a graph of a tenth": (13.8, False),
        "a chain of steps, times one of a tenth": (4.0, True),
        "a fan of steps, times one of a tenth": (12.0, True),
    }


def test_without_a_peer_its_targets_are_neither_met_nor_missed() -> None:
    open_ones = {what for what, each in judged(OURS, DBOS).items() if each.met is None}
    assert open_ones == {what for what in judged(OURS, DBOS) if "n8n" in what}
    assert all(each.found is None for each in judged(OURS, DBOS).values() if each.met is None)
    assert judged(OURS, N8N)["from a backlog, times DBOS's executions/s"].met is None


def test_a_bench_without_peers_judges_by_the_earlier_figures_it_has() -> None:
    told = judged(OURS, EARLIER)
    assert told["over HTTP, times n8n's executions/s"].found == 10.0
    assert told["from a backlog, times DBOS's executions/s"].found == 50.0
    assert [what for what, each in told.items() if each.met is None] == [
        "memory of API and worker, part of n8n's",
        "start of the API, part of n8n's",
    ]


def test_times_over_a_million_stored_are_targets_once_they_are_measured() -> None:
    told = judged({**OURS, "list_times_a_thousand": 1.6, "detail_times_a_thousand": 1.4}, EARLIER)
    assert told["list, times its time at a thousand stored"].met is False
    assert told["detail, times its time at a thousand stored"].met is True
