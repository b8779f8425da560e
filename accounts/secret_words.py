"""Looking at a password: in the same time whether or not there is such an account, and ten wrong ones in a quarter of an hour."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

from django.contrib.auth.hashers import make_password

from accounts import attempts, guesses, inputs
from accounts.clients import Client
from accounts.credentials import LoginOutcome
from accounts.errors import AccountLocked, WrongCredentials
from accounts.factors import Factor
from accounts.guesses import TooManyGuesses, Try
from accounts.models import Membership, User, normal_email

NOBODY: Final = UUID(int=0)


def verified(email: str, password: str, *, client: Client, now: datetime) -> User:
    """Whose address and password these are. Raises `WrongCredentials` or `AccountLocked`, both of which are recorded."""
    # One character more than the longest that can be stored: it matches nothing, and bounds the work.
    password = password[: inputs.PASSWORD_LENGTH + 1]
    email = normal_email(email[: 4 * inputs.EMAIL_LENGTH])
    if not (inputs.storable(email) and inputs.storable(password)):
        email, password = "", ""
    user = User.objects.filter(email=email).first()
    try:
        held = _hold(email, now=now)
    except AccountLocked:
        _refused(LoginOutcome.LOCKED, user, client)
        raise
    if user is None:
        make_password(password)
    if user is None or not user.check_password(password):
        guesses.failed(held)
        _refused(LoginOutcome.FAILED, user, client)
        raise WrongCredentials
    guesses.passed(held)
    return user


def confirm(user: User, password: str, *, now: datetime, message: str = "This is not your password.") -> None:
    """That somebody who is known knows their password. Counts as a login does. Raises `WrongCredentials` or `AccountLocked`."""
    held = _hold(user.email, now=now)
    given = password[: inputs.PASSWORD_LENGTH + 1]
    if not inputs.storable(given) or not user.check_password(given):
        guesses.failed(held)
        raise WrongCredentials(message)
    guesses.passed(held)


def unlock(email: str) -> None:
    """Let an address try again at once."""
    guesses.clear(guesses.PASSWORD, email)


def _hold(email: str, *, now: datetime) -> Try:
    try:
        return guesses.hold(guesses.PASSWORD, email, now=now)
    except TooManyGuesses as error:
        raise AccountLocked(retry_after=error.retry_after) from None


def _refused(outcome: LoginOutcome, user: User | None, client: Client) -> None:
    """The trail of the organization that a login would have gone to has it; the platform's where there is none."""
    # Asked for an unknown person too, so that both take the same time.
    memberships = Membership.objects.filter(user_id=user.pk if user else NOBODY, is_active=True).order_by("id")
    attempts.record(
        outcome,
        client=client,
        factors=[Factor.PASSWORD],
        user_id=user.pk if user else None,
        organization_id=memberships.values_list("organization_id", flat=True).first(),
    )
