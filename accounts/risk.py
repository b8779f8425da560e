"""How unlike the earlier logins of an account a login is: a sum of documented parts over recorded attempts."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from accounts.clients import Client
from accounts.credentials import LoginOutcome
from accounts.models import LoginAttempt, TrustedDevice
from accounts.networks import within
from accounts.policies import Rules
from accounts.tokens import signing_key

REMEMBERED: Final = 100  # attempts that a login is compared with
RECENTLY: Final = dt.timedelta(hours=1)
DORMANT: Final = dt.timedelta(days=90)
WEIGHTS: Final = {
    "new_device": 20,
    "new_ip": 10,
    "new_network": 15,
    "velocity": 25,
    "failed_attempts": 25,
    "unusual_hour": 10,
    "tor_or_proxy": 25,
    "dormant_account": 15,
}


@dataclass(frozen=True, slots=True)
class Part:
    """One reason, whether it holds, and the figures it is judged by."""

    name: str
    triggered: bool
    evidence: str

    @property
    def weight(self) -> int:
        return WEIGHTS[self.name]


@dataclass(frozen=True, slots=True)
class Assessment:
    """`score` is 0 to 100. From `challenge` a second factor is asked for, from `block` the login is refused."""

    score: int
    challenge: int
    block: int
    parts: tuple[Part, ...]
    assessed_at: dt.datetime
    trusted: bool

    @property
    def level(self) -> str:
        if self.score >= self.block:
            return "critical"
        if self.score >= self.challenge:
            return "high"
        return "medium" if self.score * 2 >= self.challenge else "low"

    def as_json(self) -> dict[str, Any]:
        """As it is stored with the login and shown to whoever may see it."""
        return {
            "score": self.score,
            "level": self.level,
            "thresholds": {"challenge": self.challenge, "block": self.block},
            "factors": [
                {"name": each.name, "weight": each.weight, "triggered": each.triggered, "evidence": each.evidence}
                for each in self.parts
            ],
            "assessed_at": self.assessed_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }


def assess(user_id: UUID, client: Client, rules: Rules, *, now: dt.datetime) -> Assessment:
    """Compare a login with the newest attempts at the account. Two queries."""
    known = list(
        LoginAttempt.objects.filter(user_id=user_id, created_at__lte=now + dt.timedelta(minutes=1)).order_by("-id")[
            :REMEMBERED
        ]
    )
    device = fingerprint_of(client)
    trusted = TrustedDevice.objects.filter(user_id=user_id, fingerprint=device, trusted_until__gt=now).exists()
    parts = judge(known, client, rules, device=device, trusted=trusted, now=now)
    score = min(100, sum(each.weight for each in parts if each.triggered))
    return Assessment(score, rules.risk_challenge, rules.risk_block, parts, now, trusted)


def judge(
    known: Sequence[LoginAttempt], client: Client, rules: Rules, *, device: str, trusted: bool, now: dt.datetime
) -> tuple[Part, ...]:
    """Pure: every part of the score, newest attempt first. An account without an earlier login has nothing to be unlike."""
    good = [each for each in known if each.outcome == LoginOutcome.SUCCESS]
    first = not good
    network = network_of(client.address)
    wrong = [
        each
        for each in known
        if each.outcome in (LoginOutcome.FAILED, LoginOutcome.LOCKED) and each.created_at > now - RECENTLY
    ]
    lately = ({each.network for each in good if each.created_at > now - RECENTLY} | {network}) - {""}
    addresses = {each.address for each in good} - {""}
    networks = {each.network for each in good} - {""}
    hours = [each.created_at.hour for each in good]
    near = [each for each in hours if min((each - now.hour) % 24, (now.hour - each) % 24) <= 2]
    pause = now - good[0].created_at if good else dt.timedelta()
    devices = {each.fingerprint for each in good}
    return (
        Part("new_device", not first and not trusted and device not in devices,
             "This device is trusted." if trusted else f"{len(devices)} devices are known."),
        Part("new_ip", bool(addresses) and client.address not in addresses, f"{len(addresses)} addresses are known."),
        Part("new_network", bool(networks) and network not in networks, f"{len(networks)} networks are known."),
        Part("velocity", len(lately) >= 3, f"{len(lately)} networks within an hour."),
        Part("failed_attempts", len(wrong) >= 3, f"{len(wrong)} failures within an hour."),
        Part("unusual_hour", len(good) >= 10 and not near,
             f"{len(near)} of {len(good)} logins within two hours of {now.hour}:00 UTC."),
        Part("tor_or_proxy", within(client.address, rules.risky_networks),
             f"{len(rules.risky_networks)} risky networks are listed."),
        Part("dormant_account", pause > DORMANT, f"{pause.days} days since the last login."),
    )  # fmt: skip


def fingerprint_of(client: Client) -> str:
    """How a device is known again: by the word it says, or else by its program's name. Stored as a keyed hash."""
    said = f"device:{client.fingerprint}" if client.fingerprint else f"program:{client.user_agent}"
    return hmac.new(signing_key("device fingerprints"), said.encode("utf-8", "replace"), hashlib.sha256).hexdigest()


def network_of(address: str) -> str:
    """The /24 or /48 an address is in; empty for what is no address."""
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return ""
    if isinstance(known, ipaddress.IPv6Address) and known.ipv4_mapped is not None:
        known = known.ipv4_mapped
    return str(ipaddress.ip_network(f"{known}/{24 if known.version == 4 else 48}", strict=False))
