"""Choosing another password, with the old one or with a mailed link, and confirming an address."""

from __future__ import annotations

from django.contrib.auth.hashers import make_password
from django.db import transaction
from django.utils import timezone

from accounts import inputs, letters, proofs, services, sessions
from accounts.errors import NotAuthenticated, WrongCredentials
from accounts.models import LetterKind, User
from accounts.services import TokenPair
from auterity.kernel.access import Actor


def change(
    *,
    actor: Actor,
    current_password: str,
    new_password: str,
    dialect: str,
    access_seconds: int,
    address: str = "",
    user_agent: str = "",
) -> TokenPair:
    """Another password, proved by the present one. Every login of the person ends at once, also the one at hand; a new one is
    opened in the same organization. Raises `WrongCredentials` or `InvalidInput`.
    """
    if actor.session_id is None:
        raise NotAuthenticated
    user = User.objects.get(pk=actor.user_id)
    given = current_password[: inputs.PASSWORD_LENGTH + 1]
    if not inputs.storable(given) or not user.check_password(given):
        raise WrongCredentials("This is not your present password.")
    inputs.new_password(new_password, user, "new_password")
    hashed, before, now = make_password(new_password), user.password, timezone.now()
    with transaction.atomic():
        # Of two changes at once one wins; the other proved a password that is no longer the present one.
        if not User.objects.filter(pk=user.pk, password=before).update(password=hashed, updated_at=now):
            raise WrongCredentials("This is not your present password.")
        sessions.revoke_all([user.pk], reason="password changed", now=now)
        user.refresh_from_db()
        standing = sessions.start(
            user,
            dialect=dialect,
            address=address,
            user_agent=user_agent,
            now=now,
            organization_id=actor.organization_id,
        )
        return services.pair_of(standing, access_seconds, now=now)


def forgot(*, email: str) -> None:
    """Have a link mailed, by which another password can be chosen within an hour, if the address has an account.

    Does the same whether it has one or not. Raises `InvalidInput` for what is no address.
    """
    letters.owe_proof(LetterKind.PASSWORD_RESET, inputs.email(email))


def reset(*, token: str, password: str) -> None:
    """Choose another password by a mailed link, once. Ends every login of the person. Raises `LinkInvalid` or `InvalidInput`."""
    now = timezone.now()
    proof = proofs.find(token, LetterKind.PASSWORD_RESET, now=now)
    inputs.new_password(password, proof.user)
    hashed = make_password(password)
    with transaction.atomic():
        proofs.spend(proof, now=now)
        User.objects.filter(pk=proof.user_id).update(password=hashed, updated_at=now)
        sessions.revoke_all([proof.user_id], reason="password reset", now=now)


def send_verification(*, actor: Actor) -> None:
    """Have the link for confirming the actor's address mailed again, at most once a minute; nothing once it is confirmed."""
    user = User.objects.get(pk=actor.user_id)
    if user.email_verified_at is None:
        letters.owe_proof(LetterKind.EMAIL_VERIFICATION, user.email)


def verify_email(*, token: str) -> None:
    """Confirm an address by a mailed link, once. Raises `LinkInvalid`."""
    now = timezone.now()
    proof = proofs.find(token, LetterKind.EMAIL_VERIFICATION, now=now)
    with transaction.atomic():
        proofs.spend(proof, now=now)
