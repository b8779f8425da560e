"""003's limits: one budget of five tries a minute for all doors where a password or a code can be tried."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.envelopes import refused
from tests.api.limiting import Clock, from_address, full_buckets, told
from tests.api.people import Api

pytestmark = pytest.mark.django_db

DOORS = [
    "/api/v1/auth/jwt/login",
    "/api/v1/auth/jwt/login-debug",
    "/api/v1/enhanced-auth/advanced/login",
    "/api/v1/webauthn/authenticate/begin",
    "/api/v1/webauthn/authenticate/complete",
    "/api/v1/2fa/verify",
    "/native/auth/login",
    "/native/auth/device/authenticate",
    "/native/api/authenticate",
]


@pytest.fixture
def clock(settings: Any) -> Any:
    settings.RATE_LIMITS = True
    settings.TRUSTED_PROXIES = 1
    with full_buckets(settings.REDIS_URL) as clock:
        yield clock


def guess(api: Api, door: str, name: str = "victim@example.com") -> Any:
    return api.post(door, {"username": name, "password": "guess"})


def test_five_guesses_over_all_doors_together(clock: Clock) -> None:
    api = from_address("203.0.113.5")
    statuses = [guess(api, door, f"{count}@example.com").status_code for count, door in enumerate(DOORS)]
    assert statuses[:5].count(429) == 0
    assert statuses[5:] == [429] * 4
    clock.pass_by(12)
    assert guess(api, DOORS[0], "next@example.com").status_code == 401
    assert guess(api, DOORS[6], "last@example.com").status_code == 429


def test_an_account_is_guessed_five_times_from_however_many_addresses(clock: Clock) -> None:
    answers = [guess(from_address(f"203.0.113.{each}"), DOORS[each % 2 * 6]) for each in range(8)]
    assert [each.status_code for each in answers].count(429) == 3
    refused(answers[-1], 429, "ERR_429_RATE_LIMIT")
    assert int(answers[-1].headers["Retry-After"]) >= 1
    assert told(answers[-1]) == (5, 0, 60)


def test_other_addresses_take_a_hundred_a_minute(clock: Clock) -> None:
    api = from_address("203.0.113.9")
    assert told(api.get("/api/v1/nothing")) == (100, 99, 60)
    assert told(api.get("/native/nothing")) == (100, 98, 60)
    assert told(api.post("/native/api/upload")) == (10, 9, 60)
