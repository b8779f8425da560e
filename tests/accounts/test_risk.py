"""How a login is judged by the ones before it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts import attempts, logins, own_sessions, policy_changes, risk
from accounts.clients import Client
from accounts.errors import MfaRequired, RiskBlocked, WrongCredentials
from accounts.models import LoginAttempt, Session, TrustedDevice
from accounts.policies import DEFAULT, Rules
from accounts.risk import Part, judge, network_of
from audit.models import AuditEvent
from auterity.kernel.access import Actor

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
HOME = Client("test", 600, address="203.0.113.7", user_agent="Firefox", fingerprint="laptop of Ann")
AWAY = Client("test", 600, address="198.51.100.9", user_agent="curl", fingerprint="another machine")


def attempt(client: Client = HOME, *, ago: timedelta = timedelta(days=1), outcome: str = "success") -> LoginAttempt:
    return LoginAttempt(
        outcome=outcome,
        address=client.address,
        network=network_of(client.address),
        fingerprint=risk.fingerprint_of(client),
        created_at=NOON - ago,
    )


def triggered(known: list[LoginAttempt], client: Client, *, trusted: bool = False, rules: Rules = DEFAULT) -> set[str]:
    parts: tuple[Part, ...] = judge(known, client, rules, device=risk.fingerprint_of(client), trusted=trusted, now=NOON)
    assert {each.name for each in parts} == set(risk.WEIGHTS)
    assert all(each.evidence for each in parts)
    return {each.name for each in parts if each.triggered}


def test_a_first_login_has_nothing_to_be_unlike() -> None:
    assert triggered([], AWAY) == set()


def test_the_same_device_and_network_are_no_news() -> None:
    assert triggered([attempt()], HOME) == set()


def test_each_part_by_itself() -> None:
    assert triggered([attempt()], AWAY) == {"new_device", "new_ip", "new_network"}
    assert triggered([attempt()], AWAY, trusted=True) == {"new_ip", "new_network"}
    nearby = Client("test", 600, address="203.0.113.200", fingerprint=HOME.fingerprint)
    assert triggered([attempt()], nearby) == {"new_ip"}
    lately = [attempt(Client("t", 1, address=f"192.0.{each}.1"), ago=timedelta(minutes=each)) for each in (1, 2)]
    assert "velocity" in triggered(lately, HOME)
    wrong = [attempt(outcome="failed", ago=timedelta(minutes=each)) for each in (1, 2, 3)]
    assert triggered([*wrong, attempt()], HOME) == {"failed_attempts"}
    assert triggered([*[attempt(outcome="failed")] * 9, attempt()], HOME) == set()
    nights = [attempt(ago=timedelta(days=each, hours=10)) for each in range(1, 12)]
    assert triggered(nights, HOME) == {"unusual_hour"}
    assert triggered(nights[:9], HOME) == set()
    assert triggered([attempt(ago=timedelta(days=91))], HOME) == {"dormant_account"}
    assert triggered([attempt()], HOME, rules=Rules(risky_networks=("203.0.112.0/22",))) == {"tor_or_proxy"}


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.7", "203.0.113.0/24"),
        ("::ffff:203.0.113.7", "203.0.113.0/24"),
        ("2001:db8:1:2::9", "2001:db8:1::/48"),
        ("", ""),
        ("unknown", ""),
    ],
)
def test_which_network_an_address_is_in(address: str, network: str) -> None:
    assert network_of(address) == network


@pytest.fixture
def log_in_from(founder: Any) -> Callable[..., Any]:
    def log_in_from(client: Client, *, judged: bool = True, password: str = "correct horse 9", now: Any = None) -> Any:
        return logins.by_password(email="ann@example.com", password=password, client=client, judged=judged, now=now)

    return log_in_from


@pytest.fixture
def admin(log_in_from: Any) -> Actor:
    found: Actor = log_in_from(HOME).actor
    return found


@pytest.mark.django_db
def test_every_login_is_judged_and_the_judgement_kept_with_it(log_in_from: Any) -> None:
    first = log_in_from(HOME, judged=False)
    second = log_in_from(AWAY, judged=False)
    assert (first.risk["score"], second.risk["score"]) == (0, 45)
    session = Session.objects.get(pk=second.session_id)
    assert session.risk == second.risk
    kept = LoginAttempt.objects.order_by("-id").first()
    assert kept is not None
    assert (kept.risk_score, kept.session_id, kept.method) == (45, session.pk, "password")
    assert kept.risk["thresholds"] == {"challenge": 50, "block": 85}


@pytest.mark.django_db
def test_between_the_thresholds_a_second_factor_is_asked_for_and_above_nobody_gets_in(
    admin: Actor, log_in_from: Any
) -> None:
    policy_changes.change(actor=admin, changes={"risk_challenge": 40})
    with pytest.raises(MfaRequired) as challenge:
        log_in_from(AWAY)
    assert challenge.value.risk is not None
    assert challenge.value.risk["level"] == "high"
    assert challenge.value.details["methods"] == ["email_code"]
    assert log_in_from(AWAY, judged=False).access_token
    policy_changes.change(actor=admin, changes={"risk_every_login": True, "risk_challenge": 5, "risk_block": 40})
    for _ in range(3):
        with pytest.raises(WrongCredentials):
            log_in_from(AWAY, password="a wrong horse")
    unknown = Client("test", 600, address="192.0.2.1", fingerprint="yet another")
    with pytest.raises(RiskBlocked) as refusal:
        log_in_from(unknown, judged=False)
    assert refusal.value.details == {"level": "critical"}
    newest = attempts.of(admin.user_id).first()
    assert newest is not None
    assert newest.outcome == "blocked"


@pytest.mark.django_db
def test_a_trusted_device_is_not_questioned_for_being_new(admin: Actor, log_in_from: Any) -> None:
    policy_changes.change(actor=admin, changes={"risk_challenge": 20})
    at_home_on = Client(
        "test", 600, address=HOME.address, user_agent="Safari", fingerprint="tablet", device_name="Tablet"
    )
    with pytest.raises(MfaRequired):
        log_in_from(at_home_on)
    until = own_sessions.trust(actor=admin, client=at_home_on, days=90)
    assert until <= timezone.now() + own_sessions.LONGEST_TRUST
    pair = log_in_from(at_home_on)
    session = Session.objects.get(pk=pair.session_id)
    assert own_sessions.trusted_until(session) == until
    told = AuditEvent.objects.of(admin).get(event_type="auth.device.trusted")
    assert (told.user_id, told.details["name"]) == (admin.user_id, "Tablet")
    assert "tablet" not in f"{session.fingerprint}{TrustedDevice.objects.get().fingerprint}"
    assert own_sessions.distrust(session)
    assert AuditEvent.objects.of(admin).filter(event_type="auth.device.distrusted").count() == 1
    assert own_sessions.trusted_until(session) is None
    assert not own_sessions.distrust(session)


@pytest.mark.django_db
def test_what_differs_from_where_a_login_was_opened(admin: Actor) -> None:
    session = Session.objects.get(pk=admin.session_id)
    assert own_sessions.differences(session, HOME) == []
    assert [code for code, _ in own_sessions.differences(session, AWAY)] == [
        "ip_changed",
        "user_agent_changed",
        "device_changed",
    ]
    assert attempts.forget(before=timezone.now() + timedelta(days=1)) == 1
