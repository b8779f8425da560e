"""What a login can be proved with, and which second factors an account has. An app that has one adds it at start-up."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID


class Factor(StrEnum):
    """The names that sessions, tokens and answers use."""

    PASSWORD = "password"  # noqa: S105  Not a password.
    TOTP = "totp"
    BACKUP_CODE = "backup_code"
    EMAIL_CODE = "email_code"
    WEBAUTHN = "webauthn"
    OIDC = "oidc"
    SSO = "sso"  # An organization's own provider vouches for the person, which counts in that organization.
    DEVICE = "device"
    INVITATION = "invitation"
    API_KEY = "api_key"


@dataclass(frozen=True, slots=True)
class SecondFactor:
    """`available` says whether an account (by the person's id) can prove itself so today.

    One that `demands` was set up on purpose: an account that has it is asked for it at every login. The others only stand in.
    """

    name: Factor
    available: Callable[[UUID], bool]
    demands: bool = True


class Factors:
    """The second factors there are."""

    def __init__(self) -> None:
        self._all: dict[Factor, SecondFactor] = {}

    def add(self, factor: SecondFactor) -> SecondFactor:
        if factor.name in self._all:
            raise ValueError(f"The second factor {factor.name} is known already.")
        self._all[factor.name] = factor
        return factor

    def __iter__(self) -> Iterator[SecondFactor]:
        return iter(self._all.values())


FACTORS = Factors()


def enrolled(user_id: UUID) -> list[Factor]:
    """The second factors that this person set up, and is asked for at every login."""
    return [each.name for each in FACTORS if each.demands and each.available(user_id)]


def methods(user_id: UUID) -> list[Factor]:
    """By which this person can answer a question for a second factor.

    A mailed code is for people who have set up nothing: otherwise whoever reads the mailbox, by which a password can be
    replaced, would have both factors.
    """
    own = enrolled(user_id)
    if not own:
        return [Factor.EMAIL_CODE]
    return own + [each.name for each in FACTORS if not each.demands and each.available(user_id)]


def suffices(given: Collection[Factor], user_id: UUID) -> bool:
    """Whether these factors are two. A passkey that verified its user is both by itself; a device's own key and something
    else are two."""
    if Factor.WEBAUTHN in given or (Factor.DEVICE in given and len(set(given)) > 1):
        return True
    return not set(given).isdisjoint(methods(user_id))
