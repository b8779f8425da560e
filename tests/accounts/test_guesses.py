"""Ten wrong passwords in a quarter of an hour: counted at once, for everybody alike, wherever they come from."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest
from django.contrib.auth import hashers
from django.utils import timezone

from accounts import guesses, secret_words
from accounts.errors import AccountLocked, WrongCredentials
from accounts.guesses import TooManyGuesses
from accounts.models import GuessCount, LoginAttempt, Session

live = pytest.mark.django_db(transaction=True)
WRONG = "a wrong horse 1"


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every password that reached a hash check, in any thread."""
    seen: list[str] = []
    lock = threading.Lock()

    class Counting(hashers.MD5PasswordHasher):
        def encode(self, password: str, salt: str) -> str:
            with lock:
                seen.append(password)
            return super().encode(password, salt)

    counting = Counting()
    monkeypatch.setattr(hashers, "get_hashers", lambda: [counting])
    monkeypatch.setattr(hashers, "get_hashers_by_algorithm", lambda: {"md5": counting})
    return seen


@live
@pytest.mark.parametrize("email", ["ann@example.com", "nobody@example.com"])
def test_of_forty_guesses_at_once_ten_are_looked_at(
    founder: Any, log_in: Any, together: Any, hashed: list[str], email: str
) -> None:
    hashed.clear()
    results = together(
        *[partial(log_in, email, password=f"{WRONG}{each}", address=f"203.0.113.{each}") for each in range(40)]
    )
    assert sorted({type(each) for each in results}, key=str) == [AccountLocked, WrongCredentials]
    assert len(hashed) == 10 == sum(isinstance(each, WrongCredentials) for each in results)
    with pytest.raises(AccountLocked):  # Another process or a restart finds the same rows.
        log_in(email)
    assert len(hashed) == 10
    assert Session.objects.count() == 0


@live
def test_twenty_right_logins_at_once_all_get_in(founder: Any, log_in: Any, together: Any) -> None:
    results = together(*[log_in] * 20)
    assert {type(each).__name__ for each in results} == {"TokenPair"}
    assert Session.objects.count() == 20


@pytest.mark.django_db
@pytest.mark.parametrize("email", ["ann@example.com", "nobody@example.com"])
def test_a_lock_lasts_a_quarter_of_an_hour_from_the_tenth_failure(founder: Any, log_in: Any, email: str) -> None:
    start = timezone.now()
    for each in range(10):
        with pytest.raises(WrongCredentials):
            log_in(email, password=WRONG, now=start + timedelta(seconds=each))
    last = start + timedelta(seconds=9)
    with pytest.raises(AccountLocked) as refusal:
        log_in(email, now=last + timedelta(seconds=60))
    assert refusal.value.details == {"retry_after": 14 * 60}
    assert refusal.value.message == AccountLocked.sentence
    with pytest.raises(AccountLocked):
        log_in(email, now=last + timedelta(minutes=15) - timedelta(seconds=1))
    with pytest.raises(WrongCredentials):
        log_in(email, password=WRONG, now=last + timedelta(minutes=15, seconds=1))


@pytest.mark.django_db
def test_failures_spread_over_more_time_lock_nothing(founder: Any, log_in: Any) -> None:
    start = timezone.now()
    for each in range(30):
        with pytest.raises(WrongCredentials):
            log_in(password=WRONG, now=start + timedelta(minutes=2 * each))


@pytest.mark.django_db
def test_in_any_quarter_of_an_hour_no_more_than_ten_are_looked_at(founder: Any, hashed: list[str], log_in: Any) -> None:
    looked: list[datetime] = []
    start = timezone.now()
    for each in range(400):
        now = start + timedelta(seconds=11 * each)
        hashed.clear()
        with pytest.raises((WrongCredentials, AccountLocked)):
            log_in(password=WRONG, now=now)
        looked += [now] * len(hashed)
    assert len(looked) >= 20
    worst = max(sum(first <= each < first + timedelta(minutes=15) for each in looked) for first in looked)
    assert worst == 10


@pytest.mark.django_db
def test_the_right_password_begins_the_count_anew(founder: Any, log_in: Any) -> None:
    for _ in range(3):
        for _ in range(9):
            with pytest.raises(WrongCredentials):
                log_in(password=WRONG)
        assert log_in().access_token


@pytest.mark.django_db
def test_an_address_in_another_spelling_is_the_same_account(founder: Any, log_in: Any) -> None:
    for spelling in ("ann@example.com", " ANN@Example.com", "ａnn@example.com") * 4:
        with pytest.raises((WrongCredentials, AccountLocked)):
            log_in(spelling, password=WRONG)
    with pytest.raises(AccountLocked):
        log_in()


@pytest.mark.django_db
def test_what_was_tried_is_not_written_down(founder: Any, log_in: Any) -> None:
    with pytest.raises(WrongCredentials):
        log_in("nobody@example.com", password=WRONG)
    row = GuessCount.objects.get()
    assert "nobody" not in f"{row.key}{row.tries}"
    attempt = LoginAttempt.objects.get()
    assert (attempt.user_id, attempt.outcome, attempt.method) == (None, "failed", "password")


@pytest.mark.django_db
def test_a_password_is_not_guessed_through_another_door(founder: Any, admin: Any) -> None:
    now = timezone.now()
    for _ in range(10):
        with pytest.raises(WrongCredentials):
            secret_words.confirm(founder.user, WRONG, now=now)
    with pytest.raises(AccountLocked):
        secret_words.confirm(founder.user, WRONG, now=now)
    secret_words.unlock(founder.user.email)
    secret_words.confirm(founder.user, "correct horse 9", now=now)


@pytest.mark.django_db
def test_a_try_that_was_never_heard_of_again_counts_as_failed() -> None:
    now = timezone.now()
    for _ in range(5):
        guesses.hold(guesses.SECOND_FACTOR, "x", now=now)
    assert guesses.failures(guesses.SECOND_FACTOR, "x", now=now) == 0
    with pytest.raises(TooManyGuesses):
        guesses.hold(guesses.SECOND_FACTOR, "x", now=now + timedelta(seconds=40))
    assert guesses.failures(guesses.SECOND_FACTOR, "x", now=now + timedelta(seconds=40)) == 5
    assert guesses.locked_until(guesses.SECOND_FACTOR, "x", now=now + timedelta(seconds=40)) == pytest.approx(
        now + timedelta(minutes=5), abs=timedelta(milliseconds=2)
    )


@pytest.mark.django_db
def test_old_counts_are_forgotten(founder: Any, log_in: Callable[..., Any]) -> None:
    with pytest.raises(WrongCredentials):
        log_in(password=WRONG)
    assert guesses.forget(before=timezone.now() - timedelta(days=1)) == 0
    assert guesses.forget(before=timezone.now() + timedelta(days=1)) == 1
