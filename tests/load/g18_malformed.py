"""G18: more than three hundred malformed bodies and queries over every operation. No answer is a 5xx, every refusal is JSON in an
envelope, and none takes long. `python -m tests.load.g18_malformed [--short]`
"""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import orjson

from tests.load.gates import Figures, percentile
from tests.load.malformed import JUNK, QUERIES, RAW, of_fields
from tests.load.servers import stand_alone

WRITING = ("POST", "PUT", "PATCH")
# What ends the login at hand when it succeeds, which the empty body may.
ENDING = {"/api/auth/logout", "/api/account", "/api/organization"}
SHORT = 10  # bodies or queries an operation gets in the short form; the full one sends all
SLOW = 2.0  # seconds, the 99th of a hundred
UNAVAILABLE = {"/health", "/health/ready", "/api/health", "/api/v1/health", "/api/monitoring/health"}

Try = tuple[str, str, str, bytes | None]  # method, path with query, name, body


def measure(short: bool) -> Figures:
    from tests.api.routes import routes

    client = Somebody()
    corpus = len(RAW) + len(JUNK) + len(QUERIES)
    every = [each for each in routes() if each.path not in ENDING]
    statuses: Counter[int] = Counter()
    wrong: list[str] = []
    times: list[float] = []
    turn = itertools.count()
    for route in every:
        for method, path, name, body in _tries(route, short, turn):
            begun = time.perf_counter()
            answer = client.send(method, path, body)
            times.append(time.perf_counter() - begun)
            statuses[answer.status_code] += 1
            if (problem := _problem(route.path, answer)) is not None:
                wrong.append(f"{method} {route.path} [{name}]: {answer.status_code} {problem}")
    slowest = percentile(times, 99)
    return {
        "operations": len(every), "corpus": corpus, "tries": len(times), "statuses": dict(sorted(statuses.items())),
        "wrong": len(wrong), "examples": wrong[:10], "p99_s": slowest, "worst_s": round(max(times), 2),
        "passed": not wrong and corpus >= 300 and len(every) >= 100 and slowest < SLOW,
    }  # fmt: skip


def _tries(route: Any, short: bool, turn: Iterator[int]) -> Iterator[Try]:
    path = route.filled(uuid4())
    declared = getattr(getattr(route.view, route.method.lower()), "operation", None)
    if route.method in WRITING:
        fields = list(declared.body.model_fields) if declared is not None and declared.body is not None else []
        junk = {f"every field {at}": of_fields(fields, each) for at, each in enumerate(JUNK)}
        for name, body in _some({**RAW, **junk}, short, turn):
            yield route.method, path, name, body
        return
    names = list(declared.query.model_fields) if declared is not None and declared.query is not None else []
    for name, text in _some(QUERIES, short, turn):
        asked = "&".join(f"{each}={text}" for each in dict.fromkeys([*names, "limit", "fields", "cursor", text[:40]]))
        yield route.method, f"{path}?{asked}", name, None


def _some(found: dict[str, Any], short: bool, turn: Iterator[int]) -> list[tuple[str, Any]]:
    """All of them; in the short form a few, so that each of them meets several operations."""
    each = list(found.items())
    if not short:
        return each
    return [each[next(turn) % len(each)] for _ in range(SHORT)]


def _problem(path: str, answer: Any) -> str | None:
    if answer.status_code >= 500 and not (answer.status_code == 503 and path in UNAVAILABLE):
        return f"is ours: {answer.content[:200]!r}"
    if answer.status_code < 400:
        return None
    if path.startswith(("/forms", "/questions", "/accounts", "/docs", "/redoc")):
        return None  # Pages for people.
    if "json" not in answer.headers.get("Content-Type", ""):
        return f"is {answer.headers.get('Content-Type')}"
    try:
        said = orjson.loads(answer.content)
    except orjson.JSONDecodeError:
        return "is no JSON"
    return None if isinstance(said, dict) and {"error", "detail"} & said.keys() else "has no envelope"


class Somebody:
    """An admin who logs in again whenever the login has ended."""

    def __init__(self) -> None:
        from django.test import Client

        from tests.api.people import PASSWORD, founder

        self._email = f"malformed-{time.time_ns()}@example.com"
        founder(self._email, "Malformed Motors")
        self._password = PASSWORD
        self._client = Client(raise_request_exception=False)
        self._login()

    def send(self, method: str, path: str, body: bytes | None) -> Any:
        headers = {"Authorization": f"Bearer {self._token}"}
        address, _, query = path.partition("?")
        answer = self._client.generic(
            method, address, body or b"", content_type="application/json" if body is not None else "", headers=headers,
            QUERY_STRING=query,
        )  # fmt: skip
        if answer.status_code == 401:
            self._login()
        return answer

    def _login(self) -> None:
        from tests.api.people import logged_in

        self._token = logged_in(self._email).tokens.access_token


if __name__ == "__main__":
    stand_alone("g18_malformed", measure)
