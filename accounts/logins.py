"""The one place that lets somebody in. Every way to log in ends in `open_login`, which asks what the policies want.

A login that still owes its second factor raises `MfaRequired`; the token in it and a factor finish it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from accounts import (
    admission,
    attempts,
    guesses,
    mail_codes,
    mfa_tokens,
    networks,
    policies,
    risk,
    second_factors,
    secret_words,
    sessions,
    tokens,
    vouching,
)
from accounts import factors as known
from accounts.clients import Client
from accounts.credentials import LoginOutcome
from accounts.errors import (
    AccountInactive,
    FreshLoginRequired,
    MfaAttempts,
    MfaInvalid,
    MfaMethodUnavailable,
    NotAuthenticated,
    OrganizationNotFound,
)
from accounts.factors import Factor
from accounts.guesses import TooManyGuesses
from accounts.mfa_tokens import PendingLogin
from accounts.models import Session, User
from accounts.pairs import TokenPair
from audit import trail
from auterity.kernel.access import Actor

BY_CODE: Final = (Factor.TOTP, Factor.BACKUP_CODE, Factor.EMAIL_CODE)


def open_login(
    user: User,
    *,
    client: Client,
    factors: Collection[Factor],
    organization_id: UUID | None = None,
    until: datetime | None = None,
    judged: bool = False,
    now: datetime | None = None,
) -> TokenPair:
    """Let somebody in who proved these factors, in the oldest organization that takes them or in `organization_id`.

    `judged` has the risk of the login decide too, which is otherwise only recorded. The login ends at `until` at the latest.
    Raises `AccountInactive`, `AddressNotAllowed`, `PasswordExpired`, `RiskBlocked`, or `MfaRequired` where a second factor is
    owed.
    """
    now = now or timezone.now()
    membership = sessions.membership_of(user, organization_id)
    rules = policies.of(membership.organization_id)
    networks.check(rules.allowed_networks, client.address)
    vouching.ask(membership, factors)
    if Factor.PASSWORD in factors:
        admission.check_age(user, now=now)
    found = risk.assess(user.pk, client, rules, now=now)
    admission.ask(user, membership, rules, found, client=client, factors=factors, judged=judged, now=now)
    return admission.let_in(
        membership, rules, client=client, factors=factors, until=until, fresh_at=now, found=found, now=now
    )


def by_password(
    *,
    email: str,
    password: str,
    client: Client,
    totp_code: str = "",
    backup_code: str = "",
    judged: bool = False,
    organization_id: UUID | None = None,
    once_known: Callable[[User], None] | None = None,
    now: datetime | None = None,
) -> TokenPair:
    """Log in (000 and 001, Login). An unknown address costs one password hash, and is locked, as a known one.

    Raises `WrongCredentials` for every cause but `AccountLocked`; after the right password `MfaInvalid`, `MfaAttempts` and
    whatever `open_login` raises. A code of a kind that the account does not have is not looked at. `once_known` is asked after
    the right password, and refuses by raising.
    """
    now = now or timezone.now()
    user = secret_words.verified(email, password, client=client, now=now)
    if once_known is not None:
        once_known(user)
    given = {Factor.PASSWORD}
    own = known.methods(user.pk) if totp_code or backup_code else []
    for factor, code in ((Factor.TOTP, totp_code), (Factor.BACKUP_CODE, backup_code)):
        if code and factor in own and len(given) == 1:
            here = organization_id or sessions.membership_of(user).organization_id
            _prove(user, factor, code, client=client, organization_id=here, now=now)
            given.add(factor)
    return open_login(user, client=client, factors=given, judged=judged, organization_id=organization_id, now=now)


def read_mfa_token(mfa_token: str, *, now: datetime | None = None) -> PendingLogin:
    """The login that waits behind the token of an `MfaRequired`. Raises `MfaTokenInvalid`."""
    return mfa_tokens.read(mfa_token, now=now or timezone.now())


def finish(*, mfa_token: str, method: str, code: str, client: Client, now: datetime | None = None) -> TokenPair:
    """Finish a login with a code. Five wrong ones destroy the token.

    Raises `MfaTokenInvalid`, `MfaMethodUnavailable`, `MfaInvalid`, `MfaAttempts` and whatever `open_login` raises.
    """
    now = now or timezone.now()
    pending = mfa_tokens.read(mfa_token, now=now)
    factor = _chosen(pending.user, method)
    try:
        held = guesses.hold(guesses.ONE_LOGIN, pending.token_id, now=now)
    except TooManyGuesses:
        raise MfaAttempts(retry_after=0) from None
    try:
        _prove(pending.user, factor, code, client=client, organization_id=pending.organization_id, now=now)
    except MfaInvalid:
        guesses.failed(held)
        if guesses.failures(guesses.ONE_LOGIN, pending.token_id, now=now) >= guesses.ONE_LOGIN.tries:
            mfa_tokens.spend(pending)
            raise MfaAttempts(retry_after=0) from None
        raise
    return complete(pending, factor=factor, client=client, now=now)


def complete(pending: PendingLogin, *, factor: Factor, client: Client, now: datetime | None = None) -> TokenPair:
    """Finish a login whose second factor somebody else has proved, such as a passkey. Spends its token."""
    mfa_tokens.spend(pending)
    return open_login(
        pending.user,
        client=_both(pending.client, client),
        factors=pending.factors | {factor},
        organization_id=pending.organization_id,
        now=now,
    )


def tries_left(*, mfa_token: str = "", actor: Actor | None = None, now: datetime | None = None) -> int:
    """How many more wrong codes are looked at, for a login that waits or for one that is open. Raises `MfaTokenInvalid`."""
    now = now or timezone.now()
    bounds: list[tuple[guesses.Bound, UUID]] = []
    if actor is not None:
        bounds.append((guesses.SECOND_FACTOR, actor.user_id))
    if mfa_token:
        pending = mfa_tokens.read(mfa_token, now=now)
        bounds += [(guesses.SECOND_FACTOR, pending.user.pk), (guesses.ONE_LOGIN, pending.token_id)]
    return min(max(0, bound.tries - guesses.failures(bound, about, now=now)) for bound, about in bounds)


def send_code(*, mfa_token: str, now: datetime | None = None) -> str:
    """Mail a code for a login that waits. Returns the masked address. Raises `MfaTokenInvalid` or `MfaMethodUnavailable`."""
    pending = read_mfa_token(mfa_token, now=now)
    _chosen(pending.user, Factor.EMAIL_CODE)
    return mail_codes.send(pending.user)


# -- a login that is open ------------------------------------------------------------------------------------------------


def step_up(*, actor: Actor, factors: Collection[Factor], now: datetime | None = None) -> datetime:
    """Mark the actor's login as fresh, once they have proved these factors again. Returns until when it is."""
    now = now or timezone.now()
    with transaction.atomic():
        session = session_of(actor, lock=True)
        session.factors = sorted({*session.factors, *factors})
        session.fresh_at = now
        session.save(update_fields=["factors", "fresh_at"])
        trail.record(
            "auth.step_up",
            "step up",
            organization_id=actor.organization_id,
            actor=actor,
            details={"factors": sorted(factors)},
        )
    return now + sessions.FRESH


def step_up_by_code(*, actor: Actor, method: str, code: str, now: datetime | None = None) -> datetime:
    """Prove oneself anew by a code. Raises `MfaMethodUnavailable`, `MfaInvalid` or `MfaAttempts`."""
    now = now or timezone.now()
    user = User.objects.get(pk=actor.user_id)
    factor = _chosen(user, method)
    second_factors.prove(user, factor, code, now=now)
    return step_up(actor=actor, factors=[factor], now=now)


def step_up_by_password(*, actor: Actor, password: str, now: datetime | None = None) -> datetime:
    """Prove oneself anew by the password, where the account has no second factor.

    Raises `WrongCredentials`, `AccountLocked`, or `FreshLoginRequired` where the second factor is wanted.
    """
    now = now or timezone.now()
    user = User.objects.get(pk=actor.user_id)
    own = known.enrolled(user.pk)
    if own:
        raise FreshLoginRequired("Prove yourself by your second factor.", methods=known.methods(user.pk))
    secret_words.confirm(user, password, now=now)
    return step_up(actor=actor, factors=[Factor.PASSWORD], now=now)


def fresh_until(actor: Actor, *, now: datetime | None = None) -> datetime | None:
    """Until when the actor's login counts as fresh; None when it does not."""
    now = now or timezone.now()
    session = session_of(actor)
    until = session.fresh_at + sessions.FRESH if session.fresh_at is not None else None
    return until if until is not None and until > now else None


def require_fresh(actor: Actor, *, now: datetime | None = None) -> None:
    """Raises `FreshLoginRequired` unless the person proved themselves within the last ten minutes in the login at hand."""
    if actor.session_id is None or fresh_until(actor, now=now) is None:
        raise FreshLoginRequired(methods=[*known.methods(actor.user_id)])


def switch_organization(
    *, actor: Actor, organization_id: UUID, client: Client, now: datetime | None = None
) -> TokenPair:
    """Open a second login of the same person in another organization of theirs, beside the one at hand.

    A login belongs to one organization for good, so the tokens at hand stay as they are. The new one was proved by the same
    factors at the same time and cannot last longer: switching is no way around logging in. Raises `OrganizationNotFound`, also
    where the person is switched off, `TokenInvalid`, or `MfaRequired` where that organization wants more.
    """
    now = now or timezone.now()
    if actor.session_id is None:
        raise NotAuthenticated
    until = tokens.standing_of(actor.session_id, now=now).session_expires_at
    session = session_of(actor)
    try:
        membership = sessions.membership_of(User.objects.get(pk=actor.user_id), organization_id)
    except AccountInactive:
        raise OrganizationNotFound from None
    rules = policies.of(organization_id)
    networks.check(rules.allowed_networks, client.address)
    given = [Factor(each) for each in session.factors]
    client = _same_machine(session, client)
    vouching.ask(membership, given, actor.organization_id)
    admission.ask(membership.user, membership, rules, None, client=client, factors=given, judged=False, now=now)
    return admission.let_in(
        membership, rules, client=client, factors=given, until=until, fresh_at=session.fresh_at, found=None, now=now
    )


def reopen(session: Session, *, client: Client, now: datetime) -> TokenPair:
    """A login in place of one that the caller ends in the same transaction: proved as that one was, and fresh."""
    membership = sessions.membership_of(User.objects.get(pk=session.user_id), session.organization_id)
    rules = policies.of(session.organization_id)
    given = [Factor(each) for each in session.factors]
    client = _same_machine(session, client)
    return admission.let_in(
        membership, rules, client=client, factors=given, until=None, fresh_at=now, found=None, now=now
    )


def session_of(actor: Actor, *, lock: bool = False) -> Session:
    """The login that the actor acts in. Raises `NotAuthenticated` where there is none or it has ended."""
    rows = Session.objects.select_for_update() if lock else Session.objects.all()
    found = rows.filter(pk=actor.session_id, revoked_at=None).first() if actor.session_id is not None else None
    if found is None:
        raise NotAuthenticated
    return found


# -- inside --------------------------------------------------------------------------------------------------------------


def _prove(
    user: User, factor: Factor, code: str, *, client: Client, organization_id: UUID | None, now: datetime
) -> None:
    try:
        second_factors.prove(user, factor, code, now=now)
    except (MfaInvalid, MfaAttempts):
        attempts.record(
            LoginOutcome.FAILED,
            client=client,
            factors=[Factor.PASSWORD, factor],
            user_id=user.pk,
            organization_id=organization_id,
        )
        raise


def _chosen(user: User, method: str) -> Factor:
    own = known.methods(user.pk)
    if method not in BY_CODE or method not in own:
        raise MfaMethodUnavailable(methods=[*own])
    return Factor(method)


def _same_machine(session: Session, client: Client) -> Client:
    """A login that another one leads to belongs to the same installation and device, and ends with them."""
    return replace(
        client,
        client_id=session.client_id,
        device_id=session.device_id,
        device_name=client.device_name or session.device_name,
        remember=client.remember or session.client_id is not None,
    )


def _both(begun: Client, finished: Client) -> Client:
    """What the login is told of its client: where it was finished, and what was said at the beginning only."""
    return replace(
        finished,
        device_name=finished.device_name or begun.device_name,
        fingerprint=finished.fingerprint or begun.fingerprint,
        remember=finished.remember or begun.remember,
        client_id=finished.client_id or begun.client_id,
        device_id=finished.device_id or begun.device_id,
    )
