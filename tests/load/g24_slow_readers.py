"""G24: a thousand sockets follow one run, which says half a dozen things and rests; a tenth of them never read. Who reads is told
within a second and ends with what the database holds, who does not is let go, and the server's memory stays bounded.
`python -m tests.load.g24_slow_readers [--short]`
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from itertools import pairwise
from typing import Any

from tests.load.g14_sockets import AT_ONCE, EACH, MOST_A_SOCKET, MOST_AT_ALL, Follower, go_on, logins
from tests.load.gates import Figures, percentile, somebody
from tests.load.processes import processes
from tests.load.servers import stand_alone

SLOW = 10  # of so many sockets one never reads
CHAIN = 400  # steps of one run, of which every fifth waits: what it says at once fits into an outbox, all that it says does not
REST = 0.5  # seconds
MOST_GO = 0.9  # of those who never read; what is sent to some of them fits into the system's own buffers


def measure(short: bool) -> Figures:
    from django.db import transaction

    from executions import control
    from executions.models import ExecutionLog
    from tests.executions.support import flow, save, start

    count = 60 if short else 1000
    steps = 25 if short else CHAIN
    actor = somebody("crowd")
    tokens = logins(actor, count // EACH + 1)
    with (
        processes("web", "embedded", poll_seconds=0.2)
        if _two_processes()
        else processes("web", poll_seconds=0.2) as started
    ):
        web = started[0]
        names = [f"n{at}" for at in range(steps)]
        text, rest = ("data-transformation", {"set": {"text": "x" * 2000}}), ("delay", {"seconds": REST})
        kinds = {name: text if at % 5 else rest for at, name in enumerate(names)}
        workflow = save(actor, flow(kinds, *(f"{a} > {b}" for a, b in pairwise(names))))
        with transaction.atomic():
            run = start(actor, workflow)
            control.pause(actor=actor, execution_id=run.id)
        path = f"/ws/executions/{run.id}"
        readers = [
            Follower(f"ws://127.0.0.1:{web.port}{path}", tokens[at // EACH], 0) for at in range(count - count // SLOW)
        ]
        before, begun = web.memory(), time.monotonic()
        slow = [_deaf(web.port, path, tokens[-1 - at // EACH]) for at in range(count // SLOW)]
        try:
            asyncio.run(_played(readers, actor, run.id))
            took = time.monotonic() - begun
            grown, alive = web.memory("VmHWM") - before, web.alive
            let_go = sum(_is_gone(each) for each in slow)
        finally:
            for each in slow:
                with contextlib.suppress(OSError):
                    each.close()
    lines = list(
        ExecutionLog.objects.of(actor).filter(execution_id=run.id).order_by("seq").values_list("seq", flat=True)
    )
    wrong = sum(each.seqs != lines for each in readers)
    late = sorted(moment for each in readers for moment in each.late)
    most = MOST_AT_ALL + MOST_A_SOCKET * count
    p99 = percentile(late, 99)
    return {
        "sockets": count, "slow": len(slow), "let_go": let_go, "frames_each": len(lines), "wrong": wrong, "late_s_p99": p99,
        "seconds": round(took, 1), "grown_mib": round(grown / 2**20, 1), "most_mib": round(most / 2**20, 1), "alive": alive,
        # How late a frame is on a busy machine is the machine's; in the full form it counts.
        "passed": not wrong and len(lines) > steps and alive and grown <= most
        and (short or (p99 < 1.0 and let_go >= MOST_GO * len(slow))),
    }  # fmt: skip


def _is_gone(client: socket.socket) -> bool:
    """Whether the server has cut the connection, after whatever it had sent into it."""
    client.settimeout(2)
    try:
        while client.recv(1 << 16):
            pass
    except TimeoutError:
        return False
    except ConnectionError:
        pass
    return True


def _two_processes() -> bool:
    from django.conf import settings

    return not settings.EMBEDDED


def _deaf(port: int, path: str, token: str) -> socket.socket:
    """A client that shakes hands and reads nothing from then on, with room for little."""
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    made.settimeout(60)
    made.connect(("127.0.0.1", port))
    lines = [
        f"GET {path} HTTP/1.1", "Host: localhost", "Upgrade: websocket", "Connection: Upgrade",
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==", "Sec-WebSocket-Version: 13", f"Authorization: Bearer {token}", "", "",
    ]  # fmt: skip
    made.sendall("\r\n".join(lines).encode())
    return made


async def _played(readers: list[Follower], actor: Any, execution_id: Any) -> None:
    joined = asyncio.Semaphore(AT_ONCE)
    ready = [asyncio.Event() for _ in readers]
    tasks = [asyncio.create_task(each.follow(joined, seen)) for each, seen in zip(readers, ready, strict=True)]
    try:
        await asyncio.wait_for(asyncio.gather(*(each.wait() for each in ready)), 240)
        threading.Thread(target=go_on, args=(actor, execution_id), daemon=True).start()
        await asyncio.wait_for(asyncio.gather(*tasks), 240)
    finally:
        for task in tasks:
            task.cancel()


if __name__ == "__main__":
    stand_alone("g24_slow_readers", measure)
