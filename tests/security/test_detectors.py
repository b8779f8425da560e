"""The detectors' rules, on events made for them: what is an attack, and what only looks a little like one."""

from __future__ import annotations

import datetime as dt
from typing import Any
from uuid import UUID, uuid4

import pytest

from security.detectors import CLONED, DENIED, DETECTORS, FAILED, LIMITED, LOCKED, OPENED, PROBED, REUSED, Finding, Seen

NOW = dt.datetime(2026, 11, 22, 12, 0, tzinfo=dt.UTC)
US = UUID(int=1)
THEM = UUID(int=2)
BY_NAME = {each.name: each for each in DETECTORS}


def seen(kind: str, *, ago: float = 60, **about: Any) -> Seen:
    given: dict[str, Any] = {"chain": US, "address": "203.0.113.5", "user_id": UUID(int=7), **about}
    return Seen(id=uuid4(), type=kind, at=NOW - dt.timedelta(seconds=ago), **given)


def findings(name: str, *events: Seen) -> list[Finding]:
    return BY_NAME[name].findings(sorted(events, key=lambda each: each.at), NOW)


@pytest.mark.parametrize(("times", "found"), [(9, 0), (10, 1), (50, 1)])
def test_brute_force_from_one_address(times: int, found: int) -> None:
    assert len(findings("brute_force", *(seen(FAILED) for _ in range(times)))) == found


def test_brute_force_at_one_account_from_many_addresses() -> None:
    events = [seen(FAILED, address=f"203.0.113.{each}") for each in range(12)]
    (found,) = findings("brute_force", *events)
    assert (found.user_id, found.address, found.count) == (UUID(int=7), "", 12)


def test_what_is_over_is_not_counted() -> None:
    assert findings("brute_force", *(seen(FAILED, ago=601) for _ in range(20))) == []


def test_somebody_who_only_forgot_the_password_is_no_attack() -> None:
    events = [seen(FAILED) for _ in range(4)] + [seen(OPENED)]
    assert all(findings(name, *events) == [] for name in BY_NAME)


def test_a_lock_is_a_mitigation() -> None:
    (found,) = findings("brute_force", *(seen(FAILED) for _ in range(10)), seen(LOCKED))
    assert found.mitigation.action == "account_locked"


def test_many_accounts_are_stuffing_and_each_organization_hears_its_own() -> None:
    events = [seen(FAILED, user_id=uuid4()) for _ in range(6)] + [
        seen(FAILED, user_id=uuid4(), chain=THEM) for _ in range(5)
    ]
    found = findings("credential_stuffing", *events)
    assert {each.chain: each.count for each in found} == {US: 6, THEM: 5}
    assert findings("brute_force", *events) == []


def test_tries_at_accounts_that_do_not_exist_count() -> None:
    events = [seen(FAILED, user_id=None) for _ in range(10)]
    (found,) = findings("credential_stuffing", *events)
    assert found.count == 10


def test_stuffing_that_got_in_is_worse() -> None:
    events = [seen(FAILED, user_id=uuid4()) for _ in range(10)]
    (without,) = findings("credential_stuffing", *events)
    (worse,) = findings("credential_stuffing", *events, seen(OPENED))
    assert worse.score > without.score


@pytest.mark.parametrize(
    ("addresses", "found"),
    [
        (["203.0.113.1", "203.0.200.9", "203.0.5.5"], 0),  # One provider's network.
        (["203.0.113.1", "198.51.100.1"], 0),
        (["203.0.113.1", "198.51.100.1", "192.0.2.1"], 1),
        (["203.0.113.1", "::ffff:203.0.113.2", "2001:db8::1", "2001:db8:1::1"], 0),
        (["203.0.113.1", "2001:db8::1", "2001:db9::1"], 1),
        (["", "not an address", "203.0.113.1"], 0),
    ],
)
def test_several_networks_within_minutes(addresses: list[str], found: int) -> None:
    assert len(findings("impossible_velocity", *(seen(OPENED, address=each) for each in addresses))) == found


def test_a_passkeys_copy_is_found_at_its_first_use() -> None:
    (found,) = findings("passkey_clone", seen(CLONED, ago=3000))
    assert (found.mitigation.action, found.score, found.user_id) == ("passkey_suspended", 95, UUID(int=7))
    assert findings("passkey_clone", seen(CLONED, ago=3601)) == []


def test_one_reuse_of_a_token_is_enough() -> None:
    (found,) = findings("token_replay", seen(REUSED, ago=3000))
    assert (found.mitigation.action, found.score) == ("session_revoked", 80)


@pytest.mark.parametrize(
    ("name", "kind", "threshold"),
    [("rate_abuse", LIMITED, 50), ("injection_probe", PROBED, 3), ("privilege_probe", DENIED, 10)],
)
def test_requests_add_up_over_events(name: str, kind: str, threshold: int) -> None:
    half = threshold // 2
    assert findings(name, seen(kind, count=threshold - 1)) == []
    (found,) = findings(name, seen(kind, count=half), seen(kind, count=threshold - half))
    assert found.count == threshold
    assert findings(name, seen(kind, count=half), seen(kind, count=threshold - half, address="198.51.100.1")) == []


def test_more_is_worse_and_never_more_than_a_hundred() -> None:
    scores = [findings("brute_force", *(seen(FAILED) for _ in range(times)))[0].score for times in (10, 40, 10_000)]
    assert scores == sorted(scores)
    assert scores[-1] == 100
