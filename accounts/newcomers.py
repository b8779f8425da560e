"""Somebody who asks for an account at a door that must not tell whether their address has one (003, native registration)."""

from __future__ import annotations

from dataclasses import dataclass, field

from django.conf import settings
from django.contrib.auth.hashers import make_password

from accounts import inputs, invitations, letters, services
from accounts.errors import EmailTaken, InvitationInvalid, RegistrationClosed
from accounts.models import LetterKind, User
from auterity.kernel.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class Newcomer:
    """What they say of themselves, as they sent it."""

    email: str
    password: str = field(repr=False)
    first_name: str
    last_name: str

    def check(self) -> None:
        """Raises `InvalidInput` naming every wrong field."""
        inputs.person(email=self.email, password=self.password, first_name=self.first_name, last_name=self.last_name)


def welcome(newcomer: Newcomer, *, invite_code: str = "") -> None:
    """Make the account, or mail the owner of the one there is; who asks cannot tell which.

    An invitation of theirs has them join its organization. Raises `RegistrationClosed` or `InvalidInput`.
    """
    if invite_code:
        _by_invitation(newcomer, invite_code)
        return
    try:
        services.register(
            email=newcomer.email,
            password=newcomer.password,
            first_name=newcomer.first_name,
            last_name=newcomer.last_name,
        )
    except EmailTaken:
        _tell_owner(newcomer.email)


# -- inside ------------------------------------------------------------------------------------------------------------


def _by_invitation(newcomer: Newcomer, code: str) -> None:
    try:
        asked = invitations.look(code)
    except InvitationInvalid:
        asked = None
    if asked is None or asked.email != inputs.email(newcomer.email):
        if not settings.REGISTRATION:
            raise RegistrationClosed
        raise InvalidInput.of("invite_code", "This invitation is not valid, or was sent to another address.")
    if User.objects.filter(email=asked.email).exists():
        newcomer.check()
        make_password(newcomer.password)  # Which takes as long as an account that is made.
        _tell_owner(asked.email)
        return
    try:
        invitations.accept(
            token=code,
            password=newcomer.password,
            first_name=newcomer.first_name,
            last_name=newcomer.last_name,
        )
    except (EmailTaken, InvitationInvalid):  # Of two at once this is the second.
        _tell_owner(asked.email)


def _tell_owner(email: str) -> None:
    """A link to whoever has not proved the address yet, word of the attempt to whoever has."""
    email = inputs.email(email)
    verified = User.objects.filter(email=email).exclude(email_verified_at=None).exists()
    letters.owe_proof(LetterKind.REGISTRATION_TRIED if verified else LetterKind.EMAIL_VERIFICATION, email)
