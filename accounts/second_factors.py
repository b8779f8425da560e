"""Setting up, using and giving up second factors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from accounts import (
    backup_codes,
    factors,
    guesses,
    homes,
    letters,
    mail_codes,
    policies,
    secret_words,
    sessions,
    totp,
    vouching,
)
from accounts.errors import (
    MfaAttempts,
    MfaInvalid,
    MfaNotEnabled,
    NoPendingSetup,
    NotAuthenticated,
    PolicyRequiresMfa,
)
from accounts.events import SecondFactorChanged
from accounts.factors import Factor
from accounts.guesses import TooManyGuesses
from accounts.models import BackupCode, LetterKind, Membership, Session, Totp, User
from auterity.kernel.access import Actor, Role
from auterity.kernel.events import publish


@dataclass(frozen=True, slots=True)
class Enabled:
    """An authenticator that counts from now on, and the ten codes, which are shown this once."""

    enabled_at: datetime
    backup_codes: list[str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Codes:
    """`codes` is empty unless they were made by this very call."""

    codes: list[str] = field(repr=False)
    total: int
    remaining: int
    generated_at: datetime
    regenerated: bool

    @property
    def used(self) -> int:
        return self.total - self.remaining


@dataclass(frozen=True, slots=True)
class Standing:
    """What somebody has set up. `compulsory` is whether their organization wants a second factor of them."""

    enrolled: list[Factor]
    methods: list[Factor]
    totp_enabled_at: datetime | None
    backup_codes_remaining: int
    compulsory: bool


def prove(user: User, factor: Factor, code: str, *, now: datetime) -> None:
    """Use up one code. Raises `MfaInvalid`, or `MfaAttempts` after five wrong ones of a person in five minutes."""
    try:
        held = guesses.hold(guesses.SECOND_FACTOR, user.pk, now=now)
    except TooManyGuesses as error:
        raise MfaAttempts(retry_after=error.retry_after) from None
    if not _CHECKS[factor](user, code, now):
        guesses.failed(held)
        raise MfaInvalid
    guesses.passed(held)
    if factor is Factor.BACKUP_CODE:
        _changed(user.pk, None, factor, "code_used")


def standing(actor: Actor) -> Standing:
    """The actor's own second factors, as they are now."""
    row = totp.of(actor.user_id)
    return Standing(
        factors.enrolled(actor.user_id),
        factors.methods(actor.user_id),
        row.confirmed_at if row is not None else None,
        backup_codes.left(actor.user_id),
        _compulsory(actor.user_id),
    )


def begin(*, actor: Actor, label: str = "", now: datetime | None = None) -> totp.Setup:
    """A secret for an authenticator app, shown once; it counts once a code of it is given within ten minutes.

    The caller has asked for a fresh login. Raises `MfaAlreadyEnabled`, or `OwnLoginRequired` in a login that only an
    organization's provider vouches for: its operator could give other people's accounts factors of theirs.
    """
    _own(actor)
    return totp.begin(User.objects.get(pk=actor.user_id), label=label, now=now or timezone.now())


def begin_with_codes(*, actor: Actor, now: datetime | None = None) -> tuple[totp.Setup, list[str]]:
    """As `begin`, with the backup codes shown at once; they count once the authenticator does. Raises `MfaAlreadyEnabled`."""
    setup = begin(actor=actor, now=now)
    return setup, backup_codes.make(actor.user_id)


def confirm(
    *, actor: Actor, code: str, setup_id: UUID | None = None, keep_codes: bool = False, now: datetime | None = None
) -> Enabled:
    """Turn the authenticator on by its first code. The login at hand is proved by it too; the person's others go on.

    `keep_codes` leaves backup codes that were shown already, of which none is shown again.

    Raises `NoPendingSetup`, `MfaInvalid` or `MfaAttempts`.
    """
    user = User.objects.get(pk=actor.user_id)
    return confirm_for(
        user, code=code, setup_id=setup_id, keep_codes=keep_codes, organization_id=actor.organization_id, now=now
    )


def confirm_for(
    user: User,
    *,
    code: str,
    setup_id: UUID | None = None,
    keep_codes: bool = False,
    organization_id: UUID | None = None,
    now: datetime | None = None,
) -> Enabled:
    """The same for somebody whom the caller knows, such as an operator at the command line."""
    now = now or timezone.now()
    row = totp.waiting(user.pk, now=now, setup_id=setup_id)
    try:
        held = guesses.hold(guesses.SECOND_FACTOR, user.pk, now=now)
    except TooManyGuesses as error:
        raise MfaAttempts(retry_after=error.retry_after) from None
    if totp.step_of(row, code, now=now) is None:
        guesses.failed(held)
        raise MfaInvalid
    guesses.passed(held)
    with transaction.atomic():
        if not totp.accept(row, code, now=now, confirming=True):  # Somebody was faster.
            raise NoPendingSetup
        codes = [] if keep_codes and backup_codes.left(user.pk) else backup_codes.make(user.pk)
        letters.owe_notice(LetterKind.MFA_ENABLED, user.email)
        _changed(user.pk, organization_id, Factor.TOTP, "enabled")
    return Enabled(now, codes)


def disable(*, actor: Actor, password: str, code: str, now: datetime | None = None) -> int:
    """Give up the authenticator and the backup codes, by password and a code of either. Ends the person's other logins.

    Returns how many it ended. Raises `MfaNotEnabled`, `WrongCredentials`, `PolicyRequiresMfa`, `MfaInvalid` or `MfaAttempts`.
    """
    now = now or timezone.now()
    if actor.session_id is None:
        raise NotAuthenticated
    user = User.objects.get(pk=actor.user_id)
    if totp.of(user.pk) is None:
        raise MfaNotEnabled
    secret_words.confirm(user, password, now=now)
    if _compulsory(user.pk) and set(factors.enrolled(user.pk)) == {Factor.TOTP}:
        raise PolicyRequiresMfa
    looks_like_totp = code.strip().isdigit() and len(code.strip()) == totp.DIGITS
    prove(user, Factor.TOTP if looks_like_totp else Factor.BACKUP_CODE, code, now=now)
    with transaction.atomic():
        Totp.objects.filter(user=user).delete()
        BackupCode.objects.filter(user=user).delete()
        others = Session.objects.filter(user=user).exclude(pk=actor.session_id)
        ended = sessions.revoke(others, reason="second factor disabled", now=now)
        letters.owe_notice(LetterKind.MFA_DISABLED, user.email)
        _changed(user.pk, actor.organization_id, Factor.TOTP, "disabled")
    return ended


def codes(*, actor: Actor, regenerate: bool = False) -> Codes:
    """How many backup codes are left; ten new ones where there never were any, or where `regenerate` replaces all.

    The caller has asked for a fresh login before it regenerates. Raises `MfaNotEnabled`, or `OwnLoginRequired` as `begin` does.
    """
    if not factors.enrolled(actor.user_id):
        raise MfaNotEnabled
    rows = BackupCode.objects.filter(user_id=actor.user_id)
    made: list[str] = []
    if regenerate or not rows.exists():
        _own(actor)
        with transaction.atomic():
            made = backup_codes.make(actor.user_id)
            _changed(actor.user_id, actor.organization_id, Factor.BACKUP_CODE, "codes_made")
    stored = list(rows.order_by("id").values_list("used_at", "created_at"))
    remaining = sum(used_at is None for used_at, _ in stored)
    return Codes(made, len(stored), remaining, stored[0][1], bool(made))


def reset(*, user_id: UUID) -> int:
    """An operator takes every second factor kept here from somebody who lost theirs, and ends their logins. Returns how many."""
    now = timezone.now()
    with transaction.atomic():
        Totp.objects.filter(user_id=user_id).delete()
        BackupCode.objects.filter(user_id=user_id).delete()
        ended = sessions.revoke_all([user_id], reason="second factor reset by an operator", now=now)
        letters.owe_notice(LetterKind.MFA_DISABLED, User.objects.get(pk=user_id).email)
        _changed(user_id, None, Factor.TOTP, "disabled")
    guesses.clear(guesses.SECOND_FACTOR, user_id)
    return ended


# -- inside --------------------------------------------------------------------------------------------------------------


def _own(actor: Actor) -> None:
    if actor.session_id is not None:
        vouching.require_own(actor)


def _changed(user_id: UUID, organization_id: UUID | None, factor: Factor, change: str) -> None:
    """Tell it, and write it into the trail of every organization that lets the person in."""
    homes.record(
        f"auth.second_factor.{change}",
        change.replace("_", " "),
        user_id=user_id,
        severity="medium",
        resource_type="user",
        resource_id=user_id,
        details={"factor": factor.value},
    )
    publish(SecondFactorChanged(user_id, organization_id, factor, change))


def _totp(user: User, code: str, now: datetime) -> bool:
    row = totp.of(user.pk)
    return row is not None and totp.accept(row, code.strip(), now=now)


def _backup(user: User, code: str, now: datetime) -> bool:
    return backup_codes.accept(user.pk, code, now=now)


def _mailed(user: User, code: str, now: datetime) -> bool:
    return mail_codes.accept(user, code, now=now)


_CHECKS: Final[dict[Factor, Callable[[User, str, datetime], bool]]] = {
    Factor.TOTP: _totp,
    Factor.BACKUP_CODE: _backup,
    Factor.EMAIL_CODE: _mailed,
}


def _compulsory(user_id: UUID) -> bool:
    """Whether any organization that lets the person in wants a second factor of them."""
    here = Membership.objects.filter(user_id=user_id, is_active=True).values_list("organization_id", "role")
    return any(policies.wants_second_factor(policies.of(each), Role(role)) for each, role in here[:50])
