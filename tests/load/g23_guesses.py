"""G23: passwords and codes of one account are guessed from a thousand addresses, eight at a time, with the rate limits switched
off: at most ten passwords reach the hash check and at most five codes are looked at, the right ones neither. Another account
goes on. `python -m tests.load.g23_guesses [--short]`
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

from tests.load.estate import PASSWORD
from tests.load.gates import Figures
from tests.load.servers import stand_alone

MOST_PASSWORDS = 10
MOST_CODES = 5
THREADS = 8


def measure(short: bool) -> Figures:
    import time

    from django.contrib.auth import base_user
    from django.test import override_settings
    from django.utils import timezone

    from tests.accounts.authenticator import enable
    from tests.api.people import Api, founder

    count = 80 if short else 1000
    stamp = time.time_ns()
    with override_settings(RATE_LIMITS=False, TRUSTED_PROXIES=1, ALLOWED_HOSTS=["*"]):
        victim, coded, other = (founder(f"{name}-{stamp}@example.com", None) for name in ("victim", "coded", "other"))
        app, backup_codes = enable(coded.actor, now=timezone.now())
        checked: Counter[str] = Counter()
        real = base_user.check_password

        def counted(password: str, encoded: str, *more: Any) -> bool:
            checked[encoded] += 1
            return real(password, encoded, *more)

        def guess_password(at: int) -> int:
            body = {"email": victim.email, "password": f"wrong horse number {at}"}
            return from_one_of_many(at).post("/api/auth/login", body).status_code

        with patch.object(base_user, "check_password", counted):
            passwords = in_threads(count, guess_password)
        hashed = max(checked.values(), default=0)
        locked = Api().post("/api/auth/login", {"email": victim.email, "password": PASSWORD}).status_code

        def guess_code(at: int) -> int:
            guesser = from_one_of_many(at)
            begun = guesser.post("/api/auth/login", {"email": coded.email, "password": PASSWORD})
            if begun.status_code != 200:
                return int(begun.status_code)
            sent = {"mfa_token": begun.json()["mfa_token"], "method": "totp", "code": app.wrong()}
            return guesser.post("/api/auth/mfa", sent).status_code

        codes = in_threads(count, guess_code)
        begun = Api().post("/api/auth/login", {"email": coded.email, "password": PASSWORD})
        right = Api().post(
            "/api/auth/mfa",
            {"mfa_token": begun.json().get("mfa_token", ""), "method": "backup_code", "code": backup_codes[0]},
        ) if begun.status_code == 200 else begun  # fmt: skip
        unharmed = Api().post("/api/auth/login", {"email": other.email, "password": PASSWORD}).status_code
    figures = {
        "guesses": count, "addresses": count, "passwords_hashed": hashed, "password_answers": dict(passwords),
        "right_password_after": locked, "codes_looked_at": codes[401], "code_answers": dict(codes),
        "right_code_after": right.status_code, "other_account": unharmed,
    }  # fmt: skip
    passed = (
        0 < hashed <= MOST_PASSWORDS
        and 0 < codes[401] <= MOST_CODES
        and set(passwords) == {401, 429}
        and set(codes) <= {401, 429}
        and (locked, right.status_code, unharmed) == (429, 429, 200)
    )
    return {**figures, "passed": passed}


def from_one_of_many(at: int) -> Any:
    """A caller behind the trusted proxy, whose address nobody else has; what it says of itself before that is not believed."""
    from tests.api.people import Api

    address = f"198.{18 + at // 65025 % 2}.{at // 255 % 255}.{at % 255}"
    return Api(headers={"X-Forwarded-For": f"203.0.113.{at % 250}, {address}"})


def in_threads(count: int, act: Callable[[int], int]) -> Counter[int]:
    from django.db import connections

    found: Counter[int] = Counter()
    lock = threading.Lock()
    waiting = list(range(count))

    def work() -> None:
        try:
            while True:
                with lock:
                    if not waiting:
                        return
                    at = waiting.pop()
                status = act(at)
                with lock:
                    found[status] += 1
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work) for _ in range(THREADS)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    return found


if __name__ == "__main__":
    stand_alone("g23_guesses", measure)
