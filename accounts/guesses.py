"""How often a secret may be guessed. Counted in the database before the guess is looked at: two at once cannot both be the
last one, a restart forgets nothing, and where a guess comes from plays no part.

A try is held while its check runs and counted only if it fails; whoever knows the secret clears the failures. A try that was
never heard of again (its process died) counts as failed.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from typing import Final

from django.db import transaction

from accounts.models import GuessCount
from accounts.tokens import signing_key

HELD_MS: Final = 30_000
WAIT_SECONDS: Final = 2.0  # for checks of other requests under way, before one more is refused


@dataclass(frozen=True, slots=True)
class Bound:
    """At most `tries` failures in `seconds`; then none is looked at until as long after the last one."""

    name: str
    tries: int
    seconds: int


PASSWORD = Bound("password", 10, 15 * 60)
SECOND_FACTOR = Bound("second factor", 5, 5 * 60)  # of one person
ONE_LOGIN = Bound("one login", 5, 10 * 60)  # of one mfa_token, which lives five minutes
MAILED_CODE = Bound("mailed code", 5, 20 * 60)  # of one mail, whose code lives ten


class TooManyGuesses(Exception):
    """`retry_after` is in seconds. Callers word it for what was guessed."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(retry_after)
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class Try:
    """One guess that may be looked at."""

    key: str
    number: int


def hold(bound: Bound, about: object, *, now: datetime) -> Try:
    """Ask to look at one guess. Raises `TooManyGuesses`. Not inside a transaction that a wrong guess undoes."""
    key, patience = _key(bound, about), time.monotonic() + WAIT_SECONDS
    while (held := _hold(bound, key, now)) is None:
        if time.monotonic() > patience:
            raise TooManyGuesses(1)
        time.sleep(0.05)
    return held


def failed(held: Try) -> None:
    """The guess was wrong."""
    with transaction.atomic():
        row = GuessCount.objects.select_for_update().filter(pk=held.key).first()
        if row is not None:
            row.tries = [[at, number, 1 if number == held.number else over] for at, number, over in row.tries]
            row.save()


def passed(held: Try) -> None:
    """The guess was right: nothing that failed before counts any more."""
    with transaction.atomic():
        row = GuessCount.objects.select_for_update().filter(pk=held.key).first()
        if row is not None:
            row.tries = [each for each in row.tries if not each[2] and each[1] != held.number]
            row.save()


def failures(bound: Bound, about: object, *, now: datetime) -> int:
    """How many count at this moment."""
    row = GuessCount.objects.filter(pk=_key(bound, about)).first()
    return len(_counting(bound, row.tries, _ms(now))) if row is not None else 0


def locked_until(bound: Bound, about: object, *, now: datetime) -> datetime | None:
    """Until when no guess is looked at; None where one is."""
    row = GuessCount.objects.filter(pk=_key(bound, about)).first()
    wait = _locked_ms(bound, row.tries, _ms(now)) if row is not None else 0
    return now + timedelta(milliseconds=wait) if wait > 0 else None


def locked_among(bound: Bound, abouts: Iterable[str], *, now: datetime) -> list[str]:
    """Those of which no guess is looked at now. One query for all."""
    keys = {_key(bound, each): each for each in abouts}
    rows = GuessCount.objects.filter(pk__in=keys)
    return sorted(keys[row.pk] for row in rows if _locked_ms(bound, row.tries, _ms(now)) > 0)


def clear(bound: Bound, about: object) -> None:
    """Begin to count anew: the secret is another one now, or an operator says so."""
    GuessCount.objects.filter(pk=_key(bound, about)).update(tries=[])


def forget(*, before: datetime) -> int:
    """Delete counts that nobody added to since that moment. Returns how many."""
    return GuessCount.objects.filter(updated_at__lt=before).delete()[0]


# -- inside ------------------------------------------------------------------------------------------------------------


def _hold(bound: Bound, key: str, now: datetime) -> Try | None:
    """A held try; None where only checks under way stand against it. Raises `TooManyGuesses` where failures do."""
    moment = _ms(now)
    with transaction.atomic():
        row, _ = GuessCount.objects.select_for_update().get_or_create(pk=key)
        wait = _locked_ms(bound, row.tries, moment)
        if wait > 0:
            raise TooManyGuesses(ceil(wait / 1000))
        kept = [each for each in row.tries if moment - each[0] < bound.seconds * 1000]
        counting = _counting(bound, kept, moment)
        if len(counting) >= bound.tries:  # The lock of these is over.
            kept = [each for each in kept if each not in counting]
        elif len(kept) >= bound.tries:
            return None
        held = Try(key, secrets.randbits(48))
        row.tries = [*kept, [moment, held.number, 0]]
        row.save()
    return held


def _counting(bound: Bound, tries: list[list[int]], moment: int) -> list[list[int]]:
    since = moment - bound.seconds * 1000
    return [each for each in tries if each[0] > since and (each[2] or moment - each[0] > HELD_MS)]


def _locked_ms(bound: Bound, tries: list[list[int]], moment: int) -> int:
    """How long the lock lasts yet: as many failures as are allowed, all within the time, hold from the last of them."""
    over = sorted(each[0] for each in tries if each[2] or moment - each[0] > HELD_MS)
    if len(over) < bound.tries or over[-1] - over[-bound.tries] > bound.seconds * 1000:
        return 0
    return over[-1] + bound.seconds * 1000 - moment


def _key(bound: Bound, about: object) -> str:
    """What is tried is not written down: addresses that have no account would be among it."""
    return hmac.new(
        signing_key("guesses"), f"{bound.name}:{about}".encode("utf-8", "replace"), hashlib.sha256
    ).hexdigest()


def _ms(now: datetime) -> int:
    return int(now.timestamp() * 1000)
