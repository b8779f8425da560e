"""G29: how long a login and a forgotten password take tells nobody who has an account: the medians for known and unknown
addresses differ by less than a tenth. On a quiet machine only, so not in CI. `python -m tests.load.g29_timing [--short]`
"""

from __future__ import annotations

import random
import statistics
import time
from typing import Any

from tests.load.gates import Figures
from tests.load.servers import stand_alone

MOST = 0.10
HASHER = "django.contrib.auth.hashers.Argon2PasswordHasher"  # As in production: the tests' own is too fast to measure.


def measure(short: bool) -> Figures:
    from django.test import override_settings

    count = 60 if short else 1000
    with override_settings(PASSWORD_HASHERS=[HASHER]):
        known = [_account(at) for at in range(max(2, count // 5))]
        doors = {
            "login": ("/api/auth/login", lambda email: {"email": email, "password": "a wrong password 1"}),
            "forgotten password": ("/api/auth/forgot-password", lambda email: {"email": email}),
        }
        found = {name: _compared(path, body, known, count) for name, (path, body) in doors.items()}
    return {
        "tries_each": count, "most": MOST, **found,
        "passed": all(each["difference"] < MOST and each["alike"] for each in found.values()),
    }  # fmt: skip


def _account(at: int) -> str:
    from accounts import services
    from tests.api.people import PASSWORD

    email = f"timing{at}-{time.time_ns()}@example.com"
    services.register(email=email, password=PASSWORD, first_name="A", last_name="B", company=None)
    return email


def _compared(path: str, body: Any, known: list[str], count: int) -> dict[str, Any]:
    """Both kinds in one mixed row, so that what the machine does meanwhile strikes them alike. No account is asked so often that
    it is locked."""
    from tests.api.people import Api

    api, order = Api(), [True, False] * count
    random.shuffle(order)
    times: dict[bool, list[float]] = {True: [], False: []}
    said: dict[bool, set[tuple[int, bytes]]] = {True: set(), False: set()}
    for there in order:
        # Each address is asked as often as any other: a second try at one is another path through the counters.
        name = known[len(times[there]) % len(known)]
        email = name if there else f"nobody-{name}"
        begun = time.perf_counter()
        answer = api.post(path, body(email))
        times[there].append(time.perf_counter() - begun)
        said[there].add((answer.status_code, str(answer.json().get("error", {}).get("message", "")).encode()))
    medians = {there: statistics.median(each) for there, each in times.items()}
    return {
        "known_ms": round(1000 * medians[True], 2), "unknown_ms": round(1000 * medians[False], 2),
        "difference": round(abs(medians[True] - medians[False]) / max(medians.values()), 3), "alike": said[True] == said[False],
    }  # fmt: skip


if __name__ == "__main__":
    stand_alone("g29_timing", measure)
