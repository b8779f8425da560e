"""How well somebody's account is kept, for its owner: a sum of documented parts, and what each missing one would add."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class State:
    """What is true of an account at this moment."""

    email_verified: bool
    totp: bool
    passkey: bool
    backup_codes: int
    password_age_days: int | None
    failed_logins: int  # within a day
    open_incidents: int


@dataclass(frozen=True, slots=True)
class Part:
    """`points` of a hundred; `title` and `path` say how to get them."""

    code: str
    points: int
    title: str
    path: str


PARTS: Final = (
    Part("verify_email", 15, "Confirm your address.", "/api/auth/verify-email/send"),
    Part("enable_totp", 25, "Set up an authenticator app.", "/api/v1/2fa/setup"),
    Part("add_passkey", 25, "Register a passkey.", "/api/v1/webauthn/register/begin"),
    Part("make_backup_codes", 10, "Keep three backup codes or more.", "/api/v1/2fa/backup-codes"),
    Part("renew_password", 10, "Choose a new password: yours is older than a year.", "/api/v1/auth/change-password"),
    Part("look_at_failed_logins", 5, "Look at the failed logins of today.", "/api/v1/enhanced-auth/security/status"),
    Part("settle_incidents", 10, "Incidents about your account are open.", "/api/v1/security-metrics/incidents"),
)
YEAR_DAYS: Final = 365
ENOUGH_CODES: Final = 3


def missing(state: State) -> list[Part]:
    """The parts whose points the account does not have. Pure."""
    held = {
        "verify_email": state.email_verified,
        "enable_totp": state.totp,
        "add_passkey": state.passkey,
        "make_backup_codes": state.backup_codes >= ENOUGH_CODES,
        "renew_password": state.password_age_days is not None and state.password_age_days < YEAR_DAYS,
        "look_at_failed_logins": not state.failed_logins,
        "settle_incidents": not state.open_incidents,
    }
    return [each for each in PARTS if not held[each.code]]


def score(missing: Sequence[Part]) -> int:
    """0 to 100."""
    return 100 - sum(each.points for each in missing)
