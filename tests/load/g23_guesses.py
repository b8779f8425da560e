"""G23: passwords and codes of one account are guessed from a thousand addresses, eight at a time, at every door of every dialect
and of the operators' site in turn, with the rate limits switched off. At most ten passwords reach the hash check and at most five
codes are looked at, whatever the doors; the right ones neither. Forged links to a new password change nothing. Another account
goes on. `python -m tests.load.g23_guesses [--short]`
"""

from __future__ import annotations

import datetime as dt
import secrets
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any
from unittest.mock import patch

from tests.load.estate import PASSWORD
from tests.load.gates import Figures
from tests.load.login_doors import code_doors, password_doors
from tests.load.servers import stand_alone

MOST_PASSWORDS = 10  # in fifteen minutes
MOST_CODES = 5  # in five
THREADS = 8
REFUSED = {401, 403, 429}
REFUSED_PAGE = 200  # The operators' site shows its form again.


def measure(short: bool) -> Figures:
    import time

    from django.contrib.auth import base_user
    from django.test import override_settings
    from django.utils import timezone

    from accounts import second_factors
    from accounts.models import User
    from tests.accounts.authenticator import enable
    from tests.api.people import Api, founder, logged_in

    count = 80 if short else 1000
    stamp = time.time_ns()
    with ExitStack() as opened:
        opened.enter_context(override_settings(RATE_LIMITS=False, TRUSTED_PROXIES=1, ALLOWED_HOSTS=["*"]))
        victim, coded, mailed, other = (
            founder(f"{name}-{stamp}@example.com", None) for name in ("victim", "coded", "mailed", "other")
        )
        app, backup_codes = enable(coded.actor, now=timezone.now() - dt.timedelta(minutes=5))
        User.objects.filter(email__in=[victim.email, coded.email]).update(is_staff=True, is_superuser=True)
        before = User.objects.get(email=victim.email).password
        checked: Counter[str] = Counter()
        looked_at: Counter[str] = Counter()
        real = base_user.check_password

        def counted(password: str, encoded: str, *more: Any) -> bool:
            checked[encoded] += 1
            return real(password, encoded, *more)

        def counting(check: Callable[..., bool]) -> Callable[..., bool]:
            def look(user: Any, code: str, now: Any) -> bool:
                looked_at[user.email] += 1
                return check(user, code, now)

            return look

        opened.enter_context(patch.object(base_user, "check_password", counted))
        checks = {factor: counting(check) for factor, check in second_factors._CHECKS.items()}
        opened.enter_context(patch.dict(second_factors._CHECKS, checks))

        doors = password_doors()
        passwords = guessed(count, doors, victim.email, lambda at: f"wrong horse number {at}")
        hashed = checked[before]
        locked = {name: knock(Api(), victim.email, PASSWORD).status_code for name, knock in doors.items()}
        after_password = checked[before] - hashed

        begun = time.monotonic()
        wrong = {"totp": app.wrong(), "backup_code": "AAAA-AAAA-AAAA"}
        codes = guessed(count, code_doors(wrong), coded.email, lambda _at: app.wrong())
        found, most = looked_at[coded.email], MOST_CODES * (1 + int(time.monotonic() - begun) // 300)
        right = {"totp": app.code(), "backup_code": backup_codes[0]}
        opens = {name: knock(Api(), coded.email, app.code()).status_code for name, knock in code_doors(right).items()}
        mails = guessed_mailed_codes(count // 4, mailed)
        resets = {
            path: sorted(
                {
                    from_one_of_many(at).post(path, {"token": secrets.token_urlsafe(32), **chosen}).status_code
                    for at in range(count // 10)
                }
            )
            for path, chosen in RESETS.items()
        }
        unchanged = User.objects.get(email=victim.email).password == before
        unharmed = bool(logged_in(other.email).tokens.access_token)
    figures = {
        "guesses": count, "addresses": count, "password_doors": len(doors), "passwords_hashed": hashed,
        "password_answers": told(passwords), "right_password_after": locked, "hashed_after": after_password,
        "code_doors": len(opens), "codes_looked_at": found, "code_answers": told(codes), "right_code_after": opens,
        "mailed_codes_looked_at": looked_at[mailed.email], "mailed_code_answers": told(mails), "forged_links": resets,
        "password_unchanged": unchanged, "other_account": unharmed,
    }  # fmt: skip
    passed = (
        0 < hashed <= MOST_PASSWORDS
        and not after_password
        and all(held(name, status) for (name, status) in (*passwords, *locked.items(), *codes, *opens.items(), *mails))
        and 0 < found <= most
        and 0 < looked_at[mailed.email] <= MOST_CODES
        and all(status in (400, 401, 422) for statuses in resets.values() for status in statuses)
        and unchanged
        and unharmed
    )
    return {**figures, "passed": passed}


RESETS = {
    "/api/auth/reset-password": {"password": "a stolen battery 7"},
    "/api/v1/auth/reset-password": {
        "new_password": "a stolen battery 7!A",
        "confirm_password": "a stolen battery 7!A",
    },
}


def guessed(count: int, doors: dict[str, Any], email: str, tried: Callable[[int], str]) -> Counter[tuple[str, int]]:
    """Answers by door and status."""
    names = list(doors)

    def guess(at: int) -> tuple[str, int]:
        name = names[at % len(names)]
        return name, doors[name](from_one_of_many(at), email, tried(at)).status_code

    return in_threads(count, guess)


def guessed_mailed_codes(count: int, person: Any) -> Counter[tuple[str, int]]:
    """Codes that are mailed to whoever is asked for a second factor and has none."""
    from accounts import policy_changes, proofs
    from accounts.models import Letter, LetterKind
    from tests.api.people import Api

    policy_changes.change(actor=person.actor, changes={"mfa_required_roles": ["admin"]})
    login = {"email": person.email, "password": PASSWORD}
    pending = Api().made("/api/auth/login", login)["mfa_token"]
    Api().made("/api/auth/mfa/send-code", {"mfa_token": pending})
    proofs.make(Letter.objects.filter(recipient=person.email, kind=LetterKind.EMAIL_CODE).latest("id"))

    def guess(at: int) -> tuple[str, int]:
        begun = from_one_of_many(at).post("/api/auth/login", login)
        if begun.status_code != 200:
            return "mail", begun.status_code
        body = {"mfa_token": begun.json()["mfa_token"], "method": "email_code", "code": f"{at:06d}"}
        return "mail", from_one_of_many(at).post("/api/auth/mfa", body).status_code

    return in_threads(count, guess)


def held(name: str, status: int) -> bool:
    return status in REFUSED or (name == "operators" and status == REFUSED_PAGE)


def told(answers: Counter[tuple[str, int]]) -> dict[str, int]:
    """By status alone: JSON has no keys of two."""
    by_status: Counter[str] = Counter()
    for (_, status), many in answers.items():
        by_status[str(status)] += many
    return dict(by_status)


def from_one_of_many(at: int) -> Any:
    """A caller behind the trusted proxy, whose address nobody else has; what it says of itself before that is not believed."""
    from tests.api.people import Api

    address = f"198.{18 + at // 65025 % 2}.{at // 255 % 255}.{at % 255}"
    return Api(headers={"X-Forwarded-For": f"203.0.113.{at % 250}, {address}"})


def in_threads(count: int, act: Callable[[int], tuple[str, int]]) -> Counter[tuple[str, int]]:
    from django.db import connections

    found: Counter[tuple[str, int]] = Counter()
    lock = threading.Lock()
    waiting = list(range(count))

    def work() -> None:
        try:
            while True:
                with lock:
                    if not waiting:
                        return
                    at = waiting.pop()
                answer = act(at)
                with lock:
                    found[answer] += 1
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
