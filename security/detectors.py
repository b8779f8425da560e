"""What looks like an attack, as rules over events of the audit trail. Pure: events in, findings out.

Each rule looks at the last `window_seconds` and groups by source. What they cannot know they do not claim: there is no map of
addresses, so an impossible journey is several networks in a short time, not a distance.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

SHOWN: Final = 10  # events that a finding shows


@dataclass(frozen=True, slots=True)
class Seen:
    """One event as the rules read it."""

    id: UUID
    chain: UUID
    type: str
    at: dt.datetime
    user_id: UUID | None = None
    address: str = ""
    user_agent: str = ""
    path: str = ""
    count: int = 1
    subject: str = ""  # what was seen, for requests


@dataclass(frozen=True, slots=True)
class Mitigation:
    """What the product did about it by itself."""

    action: str = "none"
    seconds: int = 0


@dataclass(frozen=True, slots=True)
class Finding:
    """One source that a rule fired for. `source` tells sources of one rule apart."""

    chain: UUID
    source: str
    events: tuple[Seen, ...]
    count: int
    score: int
    address: str = ""
    user_id: UUID | None = None
    mitigation: Mitigation = Mitigation()


@dataclass(frozen=True, slots=True)
class Detector:
    """`types` are the events it reads, `look` finds sources at or above the threshold."""

    name: str
    types: tuple[str, ...]
    threshold: int
    window_seconds: int
    look: Callable[[Detector, Sequence[Seen]], Iterable[Finding]]

    def findings(self, events: Sequence[Seen], now: dt.datetime) -> list[Finding]:
        since = now - dt.timedelta(seconds=self.window_seconds)
        return list(self.look(self, [each for each in events if each.type in self.types and each.at >= since]))


FAILED: Final = "auth.login.failed"
LOCKED: Final = "auth.login.locked"
OPENED: Final = "auth.login.success"
REUSED: Final = "auth.token.reused"
CLONED: Final = "passkey.cloned"
LIMITED: Final = "request.rate_limited"
PROBED: Final = "request.injection"
DENIED: Final = "request.denied"
ACCOUNTS_TRIED: Final = 5  # from which on one address guesses at many accounts, not at one


def network_of(address: str) -> str:
    """Addresses that one provider gives the same customer: /16, or /32 of IPv6."""
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return ""
    mapped = getattr(known, "ipv4_mapped", None)
    known = mapped or known
    return str(ipaddress.ip_network((known, 16 if known.version == 4 else 32), strict=False))


def _score(base: int, count: int, threshold: int) -> int:
    """The base at the threshold, 10 more each time it doubles, at most 100."""
    return min(100, base + 10 * max(0, (max(count, 1) // max(threshold, 1)).bit_length() - 1))


def _accounts(events: Sequence[Seen]) -> int:
    """How many accounts were tried. Tries at accounts that do not exist cannot be told apart: each counts as one."""
    return len({each.user_id for each in events if each.user_id is not None}) + sum(
        each.user_id is None for each in events
    )


def _grouped(events: Sequence[Seen], key: Callable[[Seen], Any]) -> Mapping[Any, list[Seen]]:
    groups: defaultdict[Any, list[Seen]] = defaultdict(list)
    for each in events:
        if (found := key(each)) not in (None, ""):
            groups[found].append(each)
    return groups


def _lock_of(events: Sequence[Seen]) -> Mitigation:
    return Mitigation("account_locked", 900) if any(each.type == LOCKED for each in events) else Mitigation()


def _brute_force(rule: Detector, events: Sequence[Seen]) -> Iterable[Finding]:
    """Many wrong passwords at few accounts from one address, or at one account from anywhere."""
    told = set()
    for address, group in _grouped(events, lambda each: each.address).items():
        if len(group) >= rule.threshold and _accounts(group) < ACCOUNTS_TRIED:
            for chain, part in _grouped(group, lambda each: each.chain).items():
                told |= {each.user_id for each in part}
                yield Finding(
                    chain, f"address {address}", tuple(part), len(part), _score(60, len(group), rule.threshold),
                    address=address, mitigation=_lock_of(part),
                )  # fmt: skip
    for (chain, user_id), group in _grouped(
        events, lambda each: (each.chain, each.user_id) if each.user_id is not None else None
    ).items():
        if len(group) >= rule.threshold and user_id not in told:
            yield Finding(
                chain, f"account {user_id}", tuple(group), len(group), _score(60, len(group), rule.threshold),
                user_id=user_id, mitigation=_lock_of(group),
            )  # fmt: skip


def _credential_stuffing(rule: Detector, events: Sequence[Seen]) -> Iterable[Finding]:
    """One address that tries many accounts, whoever's they are; each organization hears of its own."""
    for address, group in _grouped(events, lambda each: each.address).items():
        wrong = [each for each in group if each.type != OPENED]
        if len(wrong) < rule.threshold or _accounts(wrong) < ACCOUNTS_TRIED:
            continue
        got_in = any(each.type == OPENED for each in group)
        for chain, part in _grouped(wrong, lambda each: each.chain).items():
            score = min(100, _score(70, len(wrong), rule.threshold) + (20 if got_in else 0))
            yield Finding(chain, f"address {address}", tuple(part), len(part), score, address=address)


def _impossible_velocity(rule: Detector, events: Sequence[Seen]) -> Iterable[Finding]:
    """One account whose logins come from several networks within minutes."""
    for (chain, user_id), group in _grouped(
        events, lambda each: (each.chain, each.user_id) if each.user_id is not None else None
    ).items():
        networks = {network for each in group if (network := network_of(each.address))}
        if len(networks) >= rule.threshold:
            yield Finding(
                chain, f"account {user_id}", tuple(group), len(group), _score(50, len(networks), rule.threshold),
                user_id=user_id,
            )  # fmt: skip


def _copied(base: int, mitigation: Mitigation) -> Callable[[Detector, Sequence[Seen]], Iterable[Finding]]:
    def look(rule: Detector, events: Sequence[Seen]) -> Iterable[Finding]:
        """What only one can have was used by two: a token that works once, or a passkey whose count went back."""
        for (chain, user_id), group in _grouped(events, lambda each: (each.chain, each.user_id)).items():
            if len(group) >= rule.threshold:
                yield Finding(
                    chain, f"account {user_id}", tuple(group), len(group), _score(base, len(group), rule.threshold),
                    address=group[-1].address, user_id=user_id, mitigation=mitigation,
                )  # fmt: skip

    return look


def _requests(
    base: int, mitigation: Mitigation = Mitigation()
) -> Callable[[Detector, Sequence[Seen]], Iterable[Finding]]:
    def look(rule: Detector, events: Sequence[Seen]) -> Iterable[Finding]:
        """One address (and person, where known) whose requests of a kind add up."""
        for (chain, address, user_id), group in _grouped(
            events, lambda each: (each.chain, each.address, each.user_id)
        ).items():
            count = sum(each.count for each in group)
            if count >= rule.threshold:
                yield Finding(
                    chain, f"address {address} account {user_id}"[:120], tuple(group), count,
                    _score(base, count, rule.threshold), address=address, user_id=user_id, mitigation=mitigation,
                )  # fmt: skip

    return look


DETECTORS: Final = (
    Detector("brute_force", (FAILED, LOCKED), 10, 600, _brute_force),
    Detector("credential_stuffing", (FAILED, LOCKED, OPENED), 10, 600, _credential_stuffing),
    Detector("impossible_velocity", (OPENED,), 3, 900, _impossible_velocity),
    Detector("token_replay", (REUSED,), 1, 3600, _copied(80, Mitigation("session_revoked"))),
    Detector("passkey_clone", (CLONED,), 1, 3600, _copied(95, Mitigation("passkey_suspended"))),
    Detector("rate_abuse", (LIMITED,), 50, 600, _requests(40, Mitigation("rate_limited", 60))),
    Detector("injection_probe", (PROBED,), 3, 600, _requests(70)),
    Detector("privilege_probe", (DENIED,), 10, 600, _requests(50)),
)
LONGEST: Final = max(each.window_seconds for each in DETECTORS)
TYPES: Final = tuple(sorted({name for each in DETECTORS for name in each.types}))


def summary(event: Seen) -> str:
    """One line that says what an event was."""
    words = {
        FAILED: "Login failed",
        LOCKED: "Login refused: too many wrong ones",
        OPENED: "Login",
        REUSED: "A token was used twice",
        CLONED: "A passkey's copy was used",
        LIMITED: "Requests over the limit",
        PROBED: "Requests that look like an injection",
        DENIED: "Requests without the right to make them",
    }
    times = f" ({event.count} times)" if event.count > 1 else ""
    where = f" at {event.path}" if event.path else ""
    return f"{words.get(event.type, event.type)}{times} from {event.address or 'nowhere known'}{where}"


def top(values: Iterable[str], most: int = 10) -> list[str]:
    return [value for value, _count in Counter(each for each in values if each).most_common(most)]
