"""G22: fifty clients spend one refresh token at the same moment, round after round, over HTTP.

One is answered; for the reuse the whole login is dead, with what the one got, and its open sockets are closed within five
seconds. Another login of the same person lives on. `python -m tests.load.g22_refresh [--short]`
"""

from __future__ import annotations

import http.client
import json
import threading
import time
from typing import Any

from tests.load.estate import PASSWORD
from tests.load.gates import Figures, percentile
from tests.load.servers import stand_alone

AT_ONCE = 50
LONGEST_SECONDS = 5.0


def measure(short: bool) -> Figures:
    from django.test import override_settings

    from tests.api.people import founder, logged_in
    from tests.api.serving import Server

    rounds = 3 if short else 200
    with override_settings(RATE_LIMITS=False, ALLOWED_HOSTS=["*"]), Server() as server:
        person = founder(f"refresh-{time.time_ns()}@example.com", "Refreshers")
        other = logged_in(person.email)
        winners, others, alive, late = [], [], 0, []
        for _ in range(rounds):
            pair = login(server.port, person.email)
            with server.socket("/ws/notifications", header=pair["access_token"]) as socket:
                socket.receive()
                answers = spend_at_once(server.port, pair["refresh_token"])
                begun = time.monotonic()
                _, code, _ = socket.closed()
                late.append(time.monotonic() - begun)
                others += [status for status, _ in answers if status != 200]
                won = [body for status, body in answers if status == 200]
                winners.append(len(won))
                alive += code != 4401
            alive += sum(still_opens(server.port, token) for token in (pair["access_token"], *_tokens(won)))
            alive += sum(
                call(server.port, "POST", "/api/auth/refresh", {"refresh_token": each["refresh_token"]})[0] == 200
                for each in (pair, *won)
            )
        unharmed = still_opens(server.port, other.tokens.access_token)
        server.settle()
    figures = {
        "rounds": rounds, "at_once": AT_ONCE, "winners": sorted(set(winners)), "other_answers": sorted(set(others)),
        "alive_after_reuse": alive, "socket_closed_p99_s": percentile(late, 99), "other_login_alive": unharmed,
    }  # fmt: skip
    passed = set(winners) == {1} and set(others) == {401} and not alive and unharmed and max(late) <= LONGEST_SECONDS
    return {**figures, "passed": passed}


def spend_at_once(port: int, token: str) -> list[tuple[int, dict[str, Any]]]:
    """The answers to as many refreshes, each on a connection of its own that was opened before any asked."""
    found: list[tuple[int, dict[str, Any]]] = []
    ready = threading.Barrier(AT_ONCE)

    def spend() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        connection.connect()
        ready.wait()
        found.append(call(port, "POST", "/api/auth/refresh", {"refresh_token": token}, connection=connection))
        connection.close()

    threads = [threading.Thread(target=spend) for _ in range(AT_ONCE)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(120)
    assert len(found) == AT_ONCE, "a client got no answer"
    return found


def call(
    port: int, method: str, path: str, body: Any = None, *, token: str = "", connection: Any = None
) -> tuple[int, dict[str, Any]]:
    used = connection or http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
    used.request(method, path, None if body is None else json.dumps(body), headers)
    answer = used.getresponse()
    told = answer.read()
    if connection is None:
        used.close()
    return answer.status, json.loads(told) if told else {}


def login(port: int, email: str) -> dict[str, Any]:
    status, body = call(port, "POST", "/api/auth/login", {"email": email, "password": PASSWORD})
    assert status == 200, (status, body)
    return body


def still_opens(port: int, token: str) -> bool:
    return call(port, "GET", "/api/auth/me", token=token)[0] == 200


def _tokens(won: list[dict[str, Any]]) -> list[str]:
    return [each["access_token"] for each in won]


if __name__ == "__main__":
    stand_alone("g22_refresh", measure)
