"""How far a login's factors count: what apps above ask of a login before it opens, and what only one's own proof allows."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Final
from uuid import UUID

from accounts.clients import Client
from accounts.errors import NotAuthenticated, OwnLoginRequired
from accounts.factors import Factor
from accounts.models import Membership, Session
from auterity.kernel.access import Actor

# What is somebody's own, whichever organization they are in.
OWN: Final = frozenset({Factor.PASSWORD, Factor.WEBAUTHN, Factor.OIDC})
Check = Callable[[Membership, Collection[Factor], UUID | None], None]
LastCheck = Callable[[Membership, Collection[Factor], Client], None]
_CHECKS: Final[list[Check]] = []
_LAST_CHECKS: Final[list[LastCheck]] = []


def ask_too(check: Check) -> None:
    """Have every login pass this, which refuses by raising. Called at start-up, by apps above."""
    if check not in _CHECKS:
        _CHECKS.append(check)


def ask(membership: Membership, factors: Collection[Factor], proved_in: UUID | None = None) -> None:
    """`proved_in` is the organization in which the factors were proved, where that was earlier. Raises what the checks raise."""
    for check in _CHECKS:
        check(membership, factors, proved_in)


def ask_last_too(check: LastCheck) -> None:
    """Have every login pass this in the transaction that opens it: what it rests on is held there until it has opened, so that
    who ends that at the same moment finds the login, and ends it too. Called at start-up, by apps above."""
    if check not in _LAST_CHECKS:
        _LAST_CHECKS.append(check)


def ask_last(membership: Membership, factors: Collection[Factor], client: Client) -> None:
    """Raises what the checks raise, which undoes the login."""
    for check in _LAST_CHECKS:
        check(membership, factors, client)


def require_own(actor: Actor) -> None:
    """Raises `OwnLoginRequired` where the login at hand was opened on the word of an organization's provider alone.

    Whoever runs that provider can open such logins at will; they must not reach what the person has elsewhere.
    """
    if actor.session_id is None:
        raise NotAuthenticated
    session = Session.objects.filter(pk=actor.session_id, revoked_at=None).only("factors").first()
    if session is None:
        raise NotAuthenticated
    proved = set(session.factors)
    if Factor.SSO in proved and not OWN.intersection(proved):
        raise OwnLoginRequired
