"""G29: how long a login, a forgotten password or a token takes tells nobody who has an account, or how much of a token is right:
the medians of what is known and what is not differ by less than a tenth, and the answers are the same. At the logins of every
dialect and of the operators' site, at both doors for a forgotten password, and at every kind of token.

On a quiet machine only, so not in CI: `python -m tests.load.g29_timing [--short]`; the load is part of the figures.
"""

from __future__ import annotations

import os
import random
import secrets
import statistics
import time
from collections.abc import Callable
from typing import Any

from tests.load.asked import without_ids
from tests.load.gates import Figures
from tests.load.login_doors import FORGOTTEN, password_doors
from tests.load.servers import stand_alone

MOST = 0.10
EACH = 5  # tries of one account at one door: fewer than lock it
HASHER = "django.contrib.auth.hashers.Argon2PasswordHasher"  # As in production: the tests' own is too fast to measure.
Act = Callable[[Any, str], Any]  # a caller, and an address or a token


def measure(short: bool) -> Figures:
    from django.test import override_settings

    count = 60 if short else 1000
    with override_settings(PASSWORD_HASHERS=[HASHER], RATE_LIMITS=False, ALLOWED_HOSTS=["*"]):
        known = [_account(at) for at in range(count // EACH)]
        unknown = [f"nobody-{each}" for each in known]
        found: dict[str, Any] = {}
        for name, knock in password_doors().items():
            _forgive()
            found[f"login, {name}"] = _compared(_with_password(knock), known, unknown, count)
        for name, path in FORGOTTEN.items():
            found[f"forgotten password, {name}"] = _compared(_forgot(path), known, unknown, count)
        for name, (act, token) in _tokens().items():
            near = [_turned(token) for _ in range(EACH)]
            garbage = [_noise(token) for _ in range(EACH)]
            found[f"token, {name}"] = _compared(act, near, garbage, count)
    load = [round(each, 1) for each in os.getloadavg()]
    worst = max(found, key=lambda each: found[each]["difference"])
    return {
        "tries_each": count, "most": MOST, "load": load, "cores": os.cpu_count(), "doors": len(found),
        "worst": {worst: found[worst]["difference"]}, **found,
        "passed": all(each["difference"] < MOST and each["alike"] for each in found.values()),
    }  # fmt: skip


def _account(at: int) -> str:
    from accounts import services
    from tests.api.people import PASSWORD

    email = f"timing{at}-{time.time_ns()}@example.com"
    services.register(email=email, password=PASSWORD, first_name="A", last_name="B", company=None)
    return email


def _forgive() -> None:
    """Each door is asked as if it were the first."""
    from accounts.models import GuessCount

    GuessCount.objects.all().delete()


def _with_password(knock: Callable[[Any, str, str], Any]) -> Act:
    return lambda api, email: knock(api, email, "a wrong password 1")


def _forgot(path: str) -> Act:
    return lambda api, email: api.post(path, {"email": email})


def _tokens() -> dict[str, tuple[Act, str]]:
    """Doors that take a token, each with a real one."""
    from accounts import links, proofs
    from accounts.models import Letter, LetterKind
    from tests.api.people import founder, logged_in

    person = founder(f"tokens-{time.time_ns()}@example.com", "Tokens")
    key = person.api.made("/api/organization/api-keys", {"name": "K", "scopes": ["workflow:read"]})["key"]
    person.api.post("/api/auth/forgot-password", {"email": person.email})
    letter = Letter.objects.filter(recipient=person.email, kind=LetterKind.PASSWORD_RESET).latest("id")
    proofs.make(letter)
    chosen = {"password": "a better battery 7"}
    return {
        "API key": (lambda api, token: api.get("/api/workflows", Authorization=f"Bearer {token}"), key),
        "reset link": (
            lambda api, token: api.post("/api/auth/reset-password", {"token": token, **chosen}),
            links.proof_token(letter.pk),
        ),
        "refresh token": (
            lambda api, token: api.post("/api/auth/refresh", {"refresh_token": token}),
            logged_in(person.email).tokens.refresh_token or "",
        ),
    }  # fmt: skip


def _turned(token: str) -> str:
    """All of it right but for one sign near the end."""
    at = len(token) - 4
    return token[:at] + ("a" if token[at] != "a" else "b") + token[at + 1 :]


def _noise(token: str) -> str:
    """Nothing of it right but its beginning, which everybody knows, and its length."""
    head = token[:4] if token.startswith("aut_") else ""
    if token.count(".") == 2:
        parts = token.split(".")
        return ".".join([*parts[:2], secrets.token_urlsafe(len(parts[2]))[: len(parts[2])]])
    return head + secrets.token_urlsafe(len(token))[: len(token) - len(head)]


def _compared(act: Act, known: list[str], unknown: list[str], count: int) -> dict[str, Any]:
    """Both kinds in one mixed row, so that what the machine does meanwhile strikes them alike; each name as often as any other,
    as a second try is another path through the counters."""
    from tests.api.people import Api

    api, order = Api(), [True, False] * count
    random.shuffle(order)
    times: dict[bool, list[float]] = {True: [], False: []}
    said: dict[bool, set[str]] = {True: set(), False: set()}
    names = {True: known, False: unknown}
    for there in order:
        name = names[there][len(times[there]) % len(names[there])]
        begun = time.perf_counter()
        answer = act(api, name)
        times[there].append(time.perf_counter() - begun)
        said[there].add(_plain(answer, name))
    medians = {there: statistics.median(each) for there, each in times.items()}
    return {
        "known_ms": round(1000 * medians[True], 2), "unknown_ms": round(1000 * medians[False], 2),
        "difference": round(abs(medians[True] - medians[False]) / max(medians.values()), 3),
        "alike": said[True] == said[False], "answers": sorted({each.split(" ", 1)[0] for each in said[True] | said[False]}),
    }  # fmt: skip


def _plain(answer: Any, name: str) -> str:
    """Status and what is said. A page's own is a token against forgery that differs each time, and the address it repeats."""
    if "html" in answer.headers.get("Content-Type", ""):
        return f"{answer.status_code} {'errornote' in answer.content.decode() or len(answer.content) // 1000}"
    return without_ids(answer).replace(name, "NAME")


if __name__ == "__main__":
    stand_alone("g29_timing", measure)
