"""`make bench`: executions per second beside what this machine can do at most, all measured in one run.

Started by scripts/services.py with DATABASE_URL and REDIS_URL set. Absolute figures drift with the machine; quote the ratios.
`--million` also stores a million executions. Prints one JSON line last, for keeping.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import ExitStack

import psycopg

from tests.load import growth
from tests.load.customer import CLIENTS, Client, percentiles
from tests.load.machine import (
    CELERY,
    POOL,
    ROOT,
    celery_noops,
    commits,
    cpu_seconds,
    free_port,
    in_threads,
    own_database,
    process,
    wait_for_port,
    wait_until,
)

EXECUTIONS = int(os.environ.get("BENCH_EXECUTIONS", "2000"))
WORK = [*CELERY, "-A", "auterity.celery", "worker", *POOL, "-n"]
STORED = 1_000_000
Figures = dict[str, float]

# What PEERS measured of n8n and DBOS, on a machine like this one: the middle of each span.
N8N_PER_S, N8N_CPU_MS, N8N_ALONE_MS, DBOS_PER_S = 25.0, 48.0, 70.0, 20.0


def main() -> None:
    url = own_database(os.environ["DATABASE_URL"], os.environ.get("BENCH_DATABASE", "auterity_bench"))
    figures: Figures = {
        "commits_per_s_1": commits(url, 1),
        "commits_per_s_8": commits(url, 8),
        "celery_noops_per_s": celery_noops(),
    }
    environment = {**os.environ, "DATABASE_URL": url, "AUTERITY_DATA_DIR": str(ROOT / ".data" / "bench")}
    for command in (["migrate", "-v0"], ["collectstatic", "-v0", "--no-input"]):
        subprocess.run([sys.executable, "manage.py", *command], cwd=ROOT, env=environment, check=True)
    port = free_port()
    with process([sys.executable, "manage.py", "serve", "--port", str(port)], environment) as server:
        wait_for_port(port)
        client = Client(port)
        workflow = client.five_pure_nodes()
        with process([*WORK, "first@%h"], environment) as worker:
            client.run_to_end(workflow, url, 200)  # Warm: plans compiled, connections open.
            for clients, each in ((1, 100), (CLIENTS, 25)):
                figures |= to_the_end(client, workflow, url, clients, each)
            cpu = cpu_seconds(server, worker)
            figures |= client.run_to_end(workflow, url, EXECUTIONS)
            figures["cpu_ms_each"] = round(1000 * (cpu_seconds(server, worker) - cpu) / EXECUTIONS, 2)
            figures |= growth.of_runs(client)
        accepted = client.accept(workflow, EXECUTIONS)
        figures |= {f"no_worker_{name}": value for name, value in accepted.items()}
        keep_backlog(url)
        for workers in (1, 2, 4):
            if workers > 1:
                store_backlog(url)
            figures |= drain(url, environment, workers)
        figures |= growth.of_graphs()
        if "--million" in sys.argv:
            figures |= growth.of_the_store(client, url, workflow, int(os.environ.get("BENCH_STORED", STORED)))
    tell(figures)


def to_the_end(client: Client, workflow: str, url: str, clients: int, each: int) -> Figures:
    """Milliseconds as a synchronous caller sees them, and by the database from acceptance to the first claim and to the end."""
    with psycopg.connect(url, autocommit=True) as connection:
        since = connection.execute("SELECT clock_timestamp()").fetchone()
        parts = in_threads(clients, lambda: [client.run(workflow) for _ in range(each)])
        rows = connection.execute(
            "SELECT extract(epoch FROM started_at - created_at), extract(epoch FROM completed_at - created_at) "
            "FROM workflow_executions WHERE created_at >= %s AND status = 'completed'",
            since,
        ).fetchall()
    return {
        **percentiles(f"answer_ms_{clients}", [seconds for part in parts for seconds in part]),
        **percentiles(f"to_first_step_ms_{clients}", [float(row[0]) for row in rows]),
        **percentiles(f"to_end_ms_{clients}", [float(row[1]) for row in rows]),
    }


def keep_backlog(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE bench_backlog AS SELECT * FROM workflow_executions WHERE due_at IS NOT NULL")


def store_backlog(url: str) -> None:
    """The same executions once more, accepted and not begun."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("UPDATE bench_backlog SET id = gen_random_uuid(), due_at = clock_timestamp()")
        connection.execute("INSERT INTO workflow_executions SELECT * FROM bench_backlog")


def drain(url: str, environment: dict[str, str], count: int) -> Figures:
    """How fast so many workers empty a backlog, from the first completion on."""
    with ExitStack() as stack, psycopg.connect(url, autocommit=True) as connection:
        left = pending(connection)
        workers = [stack.enter_context(process([*WORK, f"w{at}@%h"], environment)) for at in range(count)]
        wait_until(lambda: pending(connection) < left)
        begun, first, cpu = time.monotonic(), pending(connection), cpu_seconds(*workers)
        wait_until(lambda: pending(connection) == 0)
        seconds = time.monotonic() - begun
        return {
            f"backlog_per_s_{count}": round(first / seconds, 1),
            f"backlog_cpu_ms_each_{count}": round(1000 * (cpu_seconds(*workers) - cpu) / first, 2),
        }


def pending(connection: psycopg.Connection) -> int:
    row = connection.execute("SELECT count(*) FROM workflow_executions WHERE due_at IS NOT NULL").fetchone()
    return int(row[0]) if row else 0


# -- telling -------------------------------------------------------------------------------------------------------------


def tell(figures: Figures) -> None:
    print(f"\n{EXECUTIONS:,} executions of 5 pure nodes, {CLIENTS} clients, 1 web process, on PostgreSQL and Redis\n")
    for name, value in figures.items():
        print(f"  {name:<36} {value:>12,.2f}")
    met = targets(figures)
    print("\n  target                                                           is      wanted")
    for what, found, least, holds in met:
        print(f"  {what:<60} {found:>8.2f}  {least:>8}  {'met' if holds else 'MISSED'}")
    missed = [what for what, *_, holds in met if not holds]
    print(json.dumps({**figures, "targets": len(met), "missed": missed}))


def targets(f: Figures) -> list[tuple[str, float, str, bool]]:
    """What was aimed at, what it is, and whether that is enough. Peers' figures are of another run on a machine like this."""
    best = max(f[f"backlog_per_s_{count}"] for count in (1, 2, 4))
    at_least = [
        ("over HTTP, times n8n's executions/s", f["executions_per_s"] / N8N_PER_S, 10.0),
        ("from a backlog, times n8n's executions/s", best / N8N_PER_S, 30.0),
        ("from a backlog, times DBOS's executions/s", best / DBOS_PER_S, 25.0),
        ("from a backlog, part of one-row commits at 8 clients", best / f["commits_per_s_8"], 0.5),
    ]
    at_most = [
        ("over HTTP, part of n8n's CPU-ms", f["cpu_ms_each"] / N8N_CPU_MS, 0.1),
        ("accept to completed, alone, part of n8n's p50", f["answer_ms_1_p50"] / N8N_ALONE_MS, 0.5),
        ("accept to completed, alone, p99 in ms", f["answer_ms_1_p99"], 100.0),
        ("compile, times a graph of a tenth", f["compile_times_a_tenth"], 12.0),
        ("a chain of steps, times one of a tenth", f["chain_times_a_tenth"], 12.0),
        ("a fan of steps, times one of a tenth", f["fan_times_a_tenth"], 12.0),
    ]
    at_most += [
        (f"{name.partition('_times')[0]}, times its time at a thousand stored", value, 1.5)
        for name, value in f.items()
        if name.endswith("_times_a_thousand")
    ]
    return [(what, found, f">= {least}", found >= least) for what, found, least in at_least] + [
        (what, found, f"<= {most}", found <= most) for what, found, most in at_most
    ]


if __name__ == "__main__":
    main()
