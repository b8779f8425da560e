"""G1 and G2: processes are killed, Redis is emptied and PostgreSQL restarted while executions are accepted and carried out.

Nothing that was promised is lost, nothing is recorded twice, what has ended stays as it ended; outside effects are performed
under one key each, and those without a key at most once. `python -m tests.load.g01_chaos [--short]`
"""

from __future__ import annotations

import random
import signal
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

from tests.load.gates import Figures, somebody
from tests.load.ledger import Ends, verdict
from tests.load.processes import Process, processes, stopped_mid_step, worker_kinds
from tests.load.sent import Caller, Promised
from tests.load.servers import OWN, stand_alone

SLOTS = 8  # Six workers share two cores: more threads would only keep finished steps waiting to be recorded.
BY_HTTP = 5  # every fifth execution is sent over HTTP
UNSURE = 10  # every tenth has an effect that nobody can look up
AHEAD = 80  # executions accepted and not ended at any time
PACE = 19.0  # executions a second, in full: customers come evenly, and 10,000 fit into ten minutes

_Found = TypeVar("_Found")


def measure(short: bool) -> Figures:
    from django.conf import settings

    total, kills, web_kills, wipes, restarts = (240, 5, 1, 5, 1) if short else (10_000, 50, 3, 5, 3)
    lease = 2.0
    events = ["kill"] * kills + ["web"] * web_kills
    events += ["wipe"] * wipes * bool(OWN.broker) + ["restart"] * restarts * bool(OWN.cluster)
    random.shuffle(events)
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        notes = Path(folder) / "notes"
        engine = {"lease_seconds": lease, "claim_batch": 20, "effect_threads": SLOTS, "poll_seconds": 0.2}
        from tests.executions.workers import Sink

        with (
            Sink(0.05 if short else 0.02) as sink,
            processes("web", *worker_kinds(1 if short and settings.EMBEDDED else 2 if short else 3), **engine) as [
                web,
                *workers,
            ],
        ):
            chaos = Chaos(total, notes, sink.url, web, workers, pace=1000.0 if short else PACE)
            chaos.run(events)
            done = chaos.wait_for_the_end(60 + 20 * lease)
            stopped = [each.stop() for each in workers]
        seconds = round(time.monotonic() - begun, 1)
        figures = chaos.figures(notes, sink.keys)
    zero = [
        "lost", "not_ended_well", "steps_recorded_twice", "steps_completed_twice", "lines_recorded_twice", "steps_left_open",
        "ended_not_once", "journals_with_gaps", "started_twice", "terminal_states_changed", "wrong_results", "refused",
        "unkeyed_performed_twice", "unkeyed_completed_but_not_performed", "keys_missing", "keys_unexpected",
    ]  # fmt: skip
    passed = (
        done
        and not any(figures[each] for each in zero)
        and chaos.hits == kills
        and not set(stopped) - {0, -signal.SIGTERM}  # The latter is one that was asked before it could listen.
        # Bounded by what was under way at a kill; 1 % of all calls once there are enough of them to say so.
        and (
            figures["keyed_repeats"] <= SLOTS * (kills + web_kills)
            if short
            else figures["keyed_repeats_percent"] <= 1.0
        )
        and (short or seconds <= 600)
    )
    return {
        "executions": total, "database": "sqlite" if settings.EMBEDDED else "postgresql", "kills": kills,
        "kills_mid_step": chaos.hits, "steps_under_way_when_killed": chaos.under_way, "web_kills": web_kills,
        "redis_wipes": events.count("wipe"), "postgresql_restarts": events.count("restart"), "skipped": OWN.skipped(),
        "exit_codes": stopped, "seconds": seconds, **figures, "passed": passed,
    }  # fmt: skip


class Chaos:
    """Clients on threads of their own; the monkey on this one."""

    def __init__(
        self, total: int, notes: Path, sink: str, web: Process, workers: list[Process], *, pace: float
    ) -> None:
        from django.conf import settings

        from tests.executions.support import save

        self.total, self.web, self.workers, self.pace = total, web, workers, pace
        self.victims = [web, *workers] if settings.EMBEDDED else workers  # Embedded, the web server is a worker too.
        self.actor = somebody("chaos")
        self.sure = save(self.actor, dag(sink, notes, "note"))
        self.unsure = save(self.actor, dag(sink, notes, "jot"))
        self.promised, self.ends = Promised(), Ends()
        self.caller = Caller(self.actor, [web.port])
        self.hits = 0
        self.under_way: list[int] = []
        self._failures: list[BaseException] = []

    def run(self, events: list[str]) -> None:
        clients = [threading.Thread(target=self._send, args=(over_http,), daemon=True) for over_http in (True, False)]
        for each in clients:
            each.start()
        steps = sorted(random.uniform(0.03, 0.85) * self.total for _ in events)
        for event, reached in zip(events, steps, strict=True):
            self._wait(lambda reached=reached: self._ended() >= reached, 180)  # type: ignore[misc]
            steady(self.ends.look)
            getattr(self, f"_{event}")()
        # Looking is what lets the clients go on: they keep only so far ahead of what has ended.
        self._wait(lambda: self._ended() >= 0 and not any(each.is_alive() for each in clients), 300)

    def wait_for_the_end(self, seconds: float) -> bool:
        try:
            self._wait(lambda: not self._live(), seconds)
        except TimeoutError:
            return False
        return True

    def figures(self, notes: Path, keys: Counter[str]) -> Figures:
        from executions.models import Execution

        rows: dict[int, list[UUID]] = defaultdict(list)
        ends: dict[UUID, tuple[str, Any]] = {}
        stored = Execution.objects.of(self.actor).values_list("id", "input_data", "status", "output_data")
        for identity, inputs, status, output in stored:
            rows[inputs["n"]].append(identity)
            ends[identity] = (status, output)
        unknown = len(self.promised.unknown)
        read_back, twice = self.promised.resolve(rows)
        accepted = {identity: number for number, identity in self.promised.accepted.items()}
        completed = {each for each in accepted if ends.get(each, ("", None))[0] == "completed"}
        wrong = sum(ends[each][1] != {"n": accepted[each], "sum": 2 * accepted[each]} for each in completed)
        calls = {f"{each}/{node}/0" for each in completed for node in ("left", "right", "last")}
        allowed = {f"{each}/{node}/0" for each in accepted for node in ("left", "right", "last")}
        noted = Counter(notes.read_text().split())
        repeats = sum(times - 1 for times in keys.values())
        return {
            "accepted": len(accepted), "over_http": sum(n % BY_HTTP == 0 for n in accepted.values()),
            "unknown_in_process": unknown, "unknown_read_back_as_accepted": read_back,
            "unknown_over_http_asked_again": self.caller.unknown, "refused": len(self.promised.refused),
            "ended_as_unknown_outcome": len(accepted) - len(completed),
            **verdict(list(accepted), may_fail=["unknown_outcome"]),
            "started_twice": twice, "ends_watched": self.ends.seen, "terminal_states_changed": self.ends.changed(),
            "wrong_results": wrong, "distinct_keys": len(keys), "keys_missing": len(calls - set(keys)),
            "keys_unexpected": len(set(keys) - allowed), "keyed_calls": sum(keys.values()), "keyed_repeats": repeats,
            "keyed_repeats_percent": round(100 * repeats / max(1, sum(keys.values())), 2),
            "unkeyed_performed": len(noted), "unkeyed_performed_twice": sum(times > 1 for times in noted.values()),
            "unkeyed_completed_but_not_performed": sum(f"{each}/note/0" not in noted for each in completed),
        }  # fmt: skip

    # -- clients -----------------------------------------------------------------------------------------------------

    def _send(self, over_http: bool) -> None:
        from django.db import connections

        from tests.executions.support import start

        try:
            begun = time.monotonic()
            for n in (n for n in range(self.total) if (n % BY_HTTP == 0) is over_http):
                time.sleep(max(0.0, begun + n / self.pace - time.monotonic()))
                while len(self.promised.accepted) - self._done > AHEAD:
                    time.sleep(0.05)
                workflow = self.sure if n % UNSURE else self.unsure
                if over_http:
                    begin = lambda n=n, w=workflow: self.caller.start(w.id, {"n": n}, f"chaos-{n}")  # noqa: E731
                else:
                    begin = lambda n=n, w=workflow: start(self.actor, w, {"n": n}).id  # noqa: E731
                self.promised.note(n, begin)
        except BaseException as error:
            self._failures.append(error)
        finally:
            connections.close_all()

    # -- the monkey --------------------------------------------------------------------------------------------------

    def _kill(self) -> None:
        victim = stopped_mid_step(self.victims)
        if victim is None:
            return
        self.under_way.append(victim.mid_step())
        victim.kill()
        print_event(f"killed {victim.kind} {victim.pid}, {self.under_way[-1]} steps under way")
        self.hits += 1
        victim.start()

    def _web(self) -> None:
        self.web.kill()
        print_event(f"killed web {self.web.pid}")
        self.web.start()

    def _wipe(self) -> None:
        assert OWN.broker is not None
        OWN.broker.empty()
        print_event("emptied Redis")

    def _restart(self) -> None:
        assert OWN.cluster is not None
        OWN.cluster.restart_at_once()
        print_event("restarted PostgreSQL at once")

    # -- looking -----------------------------------------------------------------------------------------------------

    _done = 0

    def _ended(self) -> int:
        self._done = steady(self._count_ended)
        return self._done

    def _count_ended(self) -> int:
        from executions.models import WorkflowFigures
        from workflows.models import Workflow

        mine = Workflow.objects.of(self.actor).values("id")
        return sum(row.completed + row.failed for row in WorkflowFigures.objects.filter(workflow_id__in=mine))

    def _live(self) -> bool:
        from executions.models import LIVE, Execution

        return steady(lambda: Execution.objects.of(self.actor).filter(status__in=LIVE).exists())

    def _wait(self, condition: Callable[[], bool], seconds: float) -> None:
        until = time.monotonic() + seconds
        while not condition():
            if self._failures:
                raise self._failures[0]
            if time.monotonic() > until:
                raise TimeoutError(f"{self._done} executions ended, then nothing more")
            for each in self.workers:
                assert each.alive, f"{each.name} ended by itself: {each.log.read_text()[-2000:]}"
            time.sleep(0.05)


def dag(sink: str, notes: Path, effect: str) -> dict[str, Any]:
    """Pure steps, two keyed calls side by side that join, an unkeyed effect, a decision, and one more call."""
    from tests.executions.support import flow

    call = ("api-integration", {"method": "POST", "url": sink, "body": {"n": "{{ inputs.n }}"}})
    total = {"n": "{{ steps.last.body.n }}", "sum": "{{ steps.left.body.n + steps.right.body.n }}"}
    return flow(
        {
            "begin": "start",
            "left": call,
            "right": call,
            "note": (effect, {"value": str(notes)}),
            "decide": ("decision-logic", {"condition": "inputs.n % 2 == 0"}),
            "even": ("data-transformation", {"set": {"kind": "even"}}),
            "odd": ("data-transformation", {"set": {"kind": "odd"}}),
            "last": call,
            "result": ("data-transformation", {"set": total}),
        },
        "begin > left", "begin > right", "left > note", "right > note", "note > decide", "decide.true > even",
        "decide.false > odd", "even > last", "odd > last", "last > result",
    )  # fmt: skip


def steady(look: Callable[[], _Found]) -> _Found:
    """The answer of the database, also when it was restarted since it was last asked."""
    from django.db import InterfaceError, OperationalError, connection

    for _ in range(100):
        try:
            return look()
        except (OperationalError, InterfaceError):
            connection.close()
            time.sleep(0.1)
    return look()


def print_event(what: str) -> None:
    import sys

    print(f"{time.strftime('%H:%M:%S')} {what}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    stand_alone("g01_chaos", measure)
