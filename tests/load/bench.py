"""`make bench`: executions per second beside what this machine can do at most, all measured in one run.

Started by scripts/services.py with DATABASE_URL and REDIS_URL set. Absolute figures drift with the machine; quote the ratios.
`--peers` (`make bench-peers`) also installs and measures n8n, DBOS and Prefect, and judges by what they do in this run.
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
    first_answer,
    free_port,
    in_threads,
    memory_mb,
    own_database,
    process,
    wait_until,
)
from tests.load.peers import beside as peers
from tests.load.targets import EARLIER, targets

EXECUTIONS = int(os.environ.get("BENCH_EXECUTIONS", "2000"))
WORK = [*CELERY, "-A", "auterity.celery", "worker", *POOL, "-n"]
STORED = 1_000_000
Figures = dict[str, float]


def main() -> None:
    beside = "--peers" in sys.argv
    absent = peers.install() if beside else {}
    url = own_database(os.environ["DATABASE_URL"], os.environ.get("BENCH_DATABASE", "auterity_bench"))
    figures: Figures = {
        "commits_per_s_1": commits(url, 1),
        "commits_per_s_8": commits(url, 8),
        "celery_noops_per_s": celery_noops(),
    }
    # What is measured is the product's own limit, not the one a customer is given.
    unlimited = {"AUTERITY_RATE_LIMITS": "off", "AUTERITY_DATA_DIR": str(ROOT / ".data" / "bench")}
    environment = {**os.environ, **unlimited, "DATABASE_URL": url}
    for command in (["migrate", "-v0"], ["collectstatic", "-v0", "--no-input"]):
        subprocess.run([sys.executable, "manage.py", *command], cwd=ROOT, env=environment, check=True)
    port = free_port()
    begun = time.monotonic()
    with process([sys.executable, "manage.py", "serve", "--port", str(port)], environment) as server:
        first_answer(port)
        figures["ready_s"] = round(time.monotonic() - begun, 2)
        client = Client(port)
        workflow = client.five_pure_nodes()
        with process([*WORK, "first@%h"], environment) as worker:
            client.run_to_end(workflow, url, 200)  # Warm: plans compiled, connections open.
            for clients, each in ((1, 100), (CLIENTS, 25)):
                figures |= to_the_end(client, workflow, url, clients, each)
            cpu = cpu_seconds(server, worker)
            figures |= client.run_to_end(workflow, url, EXECUTIONS)
            figures["cpu_ms_each"] = round(1000 * (cpu_seconds(server, worker) - cpu) / EXECUTIONS, 2)
            figures["memory_mb"] = memory_mb(server, worker)
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
    if beside:
        measured, versions = peers.measure_all(os.environ["DATABASE_URL"], absent)
        tell_side_by_side(figures, measured, versions, absent)
    tell(figures, measured if beside else None, absent)


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


def tell_side_by_side(ours: Figures, theirs: Figures, versions: dict[str, str], absent: dict[str, str]) -> None:
    """A column each. Ours at twenty at once hands in without waiting for the end, as n8n's better rate may."""
    rows = {
        f"executions/s, {CLIENTS} callers": ("executions_per_s", "per_s"),
        "CPU-ms each, without the database's": ("cpu_ms_each", "cpu_ms_each"),
        f"p50 ms, {CLIENTS} callers": (f"answer_ms_{CLIENTS}_p50", f"ms_{CLIENTS}_p50"),
        f"p99 ms, {CLIENTS} callers": (f"answer_ms_{CLIENTS}_p99", f"ms_{CLIENTS}_p99"),
        "p50 ms, one caller": ("answer_ms_1_p50", "ms_1_p50"),
        "p99 ms, one caller": ("answer_ms_1_p99", "ms_1_p99"),
        "memory in MiB": ("memory_mb", "memory_mb"),
        "seconds from start to ready": ("ready_s", "ready_s"),
    }
    print(f"\n  {'':<38}" + "".join(f"{each:>16}" for each in ("Auterity", *map(" ".join, versions.items()))))
    for title, (our, their) in rows.items():
        values = [ours[our], *(theirs.get(f"{name}_{their}") for name in versions)]
        print(f"  {title:<38}" + "".join(f"{'-' if value is None else format(value, ',.2f'):>16}" for value in values))
    for name, why in absent.items():
        print(f"  NOT MEASURED: {name}, because of {why}")


def tell(ours: Figures, theirs: Figures | None, absent: dict[str, str]) -> None:
    """Every figure, then the targets. Without peers of this run (None) they are taken from another run, and that is said."""
    print(f"\n{EXECUTIONS:,} executions of 5 pure nodes, {CLIENTS} clients, 1 web process, on PostgreSQL and Redis\n")
    figures = {**ours, **(theirs or {})}
    for name, value in figures.items():
        print(f"  {name:<36} {value:>12,.2f}")
    source = "another run" if theirs is None else "this run"
    judged = targets(ours, EARLIER if theirs is None else theirs)
    print(f"\n  {f'target (peers are of {source})':<60}        is      wanted")
    for what, wanted, found, met in judged:
        word = {True: "met", False: "MISSED", None: "NOT MEASURED"}[met]
        print(f"  {what:<60} {'-' if found is None else format(found, '.2f'):>8}  {wanted:>8}  {word}")
    told = {
        "peers_of": source,
        "peers_absent": absent,
        "targets": len(judged),
        "missed": [each.what for each in judged if each.met is False],
        "not_measured": [each.what for each in judged if each.met is None],
    }
    print(json.dumps({**figures, **told}))


if __name__ == "__main__":
    main()
