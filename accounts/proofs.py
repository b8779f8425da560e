"""Proving that a mailbox is one's own, by a link that works once."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone

from accounts import links
from accounts.errors import LinkInvalid
from accounts.models import Letter, LetterKind, Proof, User

CODE_LIFETIME = timedelta(minutes=10)


def make(letter: Letter) -> Proof | None:
    """The proof that a letter carries; None where nobody who may come in has the address, or it is proved already.

    Earlier links of the same kind end with it.
    """
    user = User.objects.filter(email=letter.recipient, is_active=True).first()
    if user is None or (letter.kind == LetterKind.EMAIL_VERIFICATION and user.email_verified_at is not None):
        return None
    now = timezone.now()
    made, fresh = Proof.objects.get_or_create(
        letter=letter,
        defaults={
            "user": user,
            "purpose": letter.kind,
            "email": user.email,
            "token_hash": links.hash_of(links.proof_token(letter.pk)),
            "expires_at": now + _lifetime(letter.kind),
        },
    )
    if fresh:
        user.proofs.filter(purpose=letter.kind, used_at=None).exclude(pk=made.pk).update(used_at=now)
    return made


def find(token: str, purpose: LetterKind, *, now: datetime) -> Proof:
    """A link's proof with its `user`; changes nothing. Raises `LinkInvalid`, also where the account has another address now."""
    proofs = Proof.objects.select_related("user").filter(
        token_hash=links.hash_of(token), purpose=purpose, used_at=None, expires_at__gt=now, user__is_active=True
    )
    found = proofs.first()
    if found is None or found.email != found.user.email:
        raise LinkInvalid
    return found


def spend(proof: Proof, *, now: datetime) -> None:
    """Use the link up, in the caller's transaction. Of two who do it at once, one gets through. Raises `LinkInvalid`."""
    if not Proof.objects.filter(pk=proof.pk, used_at=None, expires_at__gt=now).update(used_at=now):
        raise LinkInvalid
    User.objects.filter(pk=proof.user_id, email_verified_at=None).update(email_verified_at=now)


def _lifetime(purpose: str) -> timedelta:
    lifetimes: dict[str, timedelta] = {
        LetterKind.PASSWORD_RESET: settings.PASSWORD_RESET_LIFETIME,
        LetterKind.EMAIL_VERIFICATION: settings.EMAIL_VERIFICATION_LIFETIME,
        LetterKind.EMAIL_CODE: CODE_LIFETIME,
    }
    return lifetimes[purpose]
