"""G14: a thousand sockets follow one execution, a third of them hang up in the middle and come back. Each gets every frame, once
and in order, and the web servers' memory stays bounded. `python -m tests.load.g14_sockets [--short]`

Embedded, the web server has the worker inside and there is no Redis; in production shape there are two web servers, a worker of
its own and a Redis between them, which is emptied while the run goes on.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import random
import time
from collections import Counter
from itertools import pairwise
from typing import Any

import orjson

from tests.load.gates import Figures, percentile, somebody
from tests.load.processes import processes
from tests.load.servers import OWN, stand_alone

EACH = 20  # sockets of one person, the most there may be
MOST_A_SOCKET = 128 * 1024  # bytes a server's memory may grow for each of its sockets ...
MOST_AT_ALL = 64 * 1024 * 1024  # ... and for its threads, connections and code that the first ones bring
AT_ONCE = 50  # handshakes


class Follower:
    """One client. It keeps the numbers of the frames it got."""

    def __init__(self, address: str, token: str, hangs_up_after: int) -> None:
        self._address, self._token, self._hangs_up_after = address, token, hangs_up_after
        self.seqs: list[int] = []
        self.late: list[float] = []  # of frames that came live, not in a replay
        self._live = False
        self.connections = 0
        self.last: str = ""

    async def follow(self, joined: asyncio.Semaphore, ready: asyncio.Event) -> None:
        from websockets.asyncio.client import connect

        while not self.last:
            self.connections += 1
            query = f"?last_seq={self.seqs[-1] if self.seqs else 0}"
            await joined.acquire()
            async with connect(
                self._address + query, additional_headers={"Authorization": f"Bearer {self._token}"}, proxy=None,
                compression=None, open_timeout=120, max_size=None,
            ) as socket:  # fmt: skip
                frame = orjson.loads(await socket.recv())
                joined.release()
                assert frame["type"] == "execution_snapshot", frame
                ready.set()
                async for text in socket:
                    if self._seen(orjson.loads(text)):
                        break

    def _seen(self, frame: dict[str, Any]) -> bool:
        """Whether to hang up now."""
        if frame["type"] == "execution_log" or "event" in frame:
            self.seqs.append(frame["seq"])
            if self._live:
                sent = dt.datetime.fromisoformat(frame["timestamp"])
                self.late.append((dt.datetime.now(dt.UTC) - sent).total_seconds())
            if frame.get("event") == "ended":
                self.last = frame["status"]
        else:
            assert frame["type"] in ("execution_status", "replay_done"), frame
            self._live = frame["type"] == "replay_done"
        hangs_up = bool(self._hangs_up_after) and len(self.seqs) >= self._hangs_up_after
        if hangs_up:
            self._hangs_up_after = 0
        return hangs_up or bool(self.last)


def measure(short: bool) -> Figures:
    from django.conf import settings
    from django.db import transaction

    from executions import control
    from executions.models import ExecutionLog
    from tests.executions.support import flow, save, start
    from tests.executions.workers import Sink

    count, steps = (200, 25) if short else (1000, 100)
    actor = somebody("audience")
    tokens = logins(actor, count // EACH)
    kinds = ["web"] if settings.EMBEDDED else ["web", "web", "embedded"]
    with Sink(0.1) as sink, processes(*kinds, poll_seconds=0.2) as started:
        webs = [each for each in started if each.kind == "web"]
        call = ("api-integration", {"method": "POST", "url": sink.url, "body": {"n": 1}})
        chain = [f"n{at}" for at in range(steps)]
        edges = [f"{a} > {b}" for a, b in pairwise(chain)]
        workflow = save(actor, flow(dict.fromkeys(chain, call), *edges))
        with transaction.atomic():
            run = start(actor, workflow)
            control.pause(actor=actor, execution_id=run.id)
        followers = [
            Follower(
                f"ws://127.0.0.1:{webs[at % len(webs)].port}/ws/executions/{run.id}",
                tokens[at // EACH],
                random.randrange(2, steps) if at % 3 == 0 else 0,
            )
            for at in range(count)
        ]
        before = [each.memory() for each in webs]
        begun = time.monotonic()
        times = asyncio.run(played(followers, actor, run.id))
        grown = [after.memory("VmHWM") - was for after, was in zip(webs, before, strict=True)]
        alive = all(each.alive for each in started)
        complaints = Counter(line[24:80] for each in webs for line in each.log.read_text().splitlines())
    lines = list(
        ExecutionLog.objects.of(actor).filter(execution_id=run.id).order_by("seq").values_list("seq", flat=True)
    )
    wrong = sum(each.seqs != lines for each in followers)
    late = sorted(moment for each in followers for moment in each.late)
    most = MOST_AT_ALL + MOST_A_SOCKET * count // len(webs)
    return {
        "sockets": count, "web_servers": len(webs), "redis": bool(settings.REDIS_URL), "frames_each": len(lines),
        "frames": sum(len(each.seqs) for each in followers), "wrong": wrong,
        "reconnects": sum(each.connections - 1 for each in followers), "joined_s": round(times["joined"], 1),
        "late_s_p50": percentile(late, 50), "late_s_p99": percentile(late, 99), "seconds": round(time.monotonic() - begun, 1),
        "grown_mib": round(max(grown) / 2**20, 1), "most_mib": round(most / 2**20, 1), "logged": dict(complaints.most_common(3)),
        "passed": not wrong and len(lines) > steps and alive and max(grown) <= most,
    }  # fmt: skip


async def played(followers: list[Follower], actor: Any, execution_id: Any) -> dict[str, float]:
    """All join, then the run goes on. With a Redis of its own, it is emptied on the way."""
    begun = time.monotonic()
    joined = asyncio.Semaphore(AT_ONCE)
    ready = [asyncio.Event() for _ in followers]
    tasks = [asyncio.create_task(each.follow(joined, seen)) for each, seen in zip(followers, ready, strict=True)]
    try:
        await asyncio.wait_for(asyncio.gather(*(each.wait() for each in ready)), 120)
        times = {"joined": time.monotonic() - begun}
        await asyncio.to_thread(go_on, actor, execution_id)
        if OWN.broker is not None:
            await asyncio.sleep(1.0)
            await asyncio.to_thread(OWN.broker.empty)
        await asyncio.wait_for(asyncio.gather(*tasks), 240)
    finally:
        for task in tasks:
            task.cancel()
    return times


def go_on(actor: Any, execution_id: Any) -> None:
    from django.db import connection

    from executions import control

    try:
        control.resume(actor=actor, execution_id=execution_id)
    finally:
        connection.close()


def logins(actor: Any, count: int) -> list[str]:
    """Access tokens of people of the actor's organization."""
    from accounts import members, services
    from auterity.kernel.access import Role

    password = "correct horse 9"
    found = []
    for at in range(count):
        email = f"watcher{at}-{time.time_ns()}@example.com"
        about = {"first_name": "Will", "last_name": "Watch", "role": Role.VIEWER}
        members.members_add(actor=actor, email=email, password=password, **about)  # type: ignore[arg-type]
        pair = services.login(email=email, password=password, dialect="auterity", access_seconds=1800)
        found.append(pair.access_token)
    return found


if __name__ == "__main__":
    stand_alone("g14_sockets", measure)
