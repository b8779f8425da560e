"""Six digits that are mailed to somebody, good once and for ten minutes. Nothing stored tells them: they follow from the mail."""

from __future__ import annotations

import hmac
from datetime import datetime
from typing import Final

from accounts import guesses, letters, proofs
from accounts.errors import LinkInvalid, MfaAttempts
from accounts.guesses import TooManyGuesses
from accounts.links import mail_code
from accounts.models import LetterKind, User

DIGITS: Final = 6


def send(user: User) -> str:
    """Owe the person a mail with a code, at most one a minute. Returns the address, all but hidden."""
    letters.owe_proof(LetterKind.EMAIL_CODE, user.email)
    return masked(user.email)


def accept(user: User, code: str, *, now: datetime) -> bool:
    """Whether it is the code of the newest mail; it is used up then. Five wrong ones use the mail up too: `MfaAttempts`."""
    rows = user.proofs.filter(purpose=LetterKind.EMAIL_CODE, used_at=None, expires_at__gt=now, email=user.email)
    proof = rows.order_by("-id").first()
    if proof is None:
        return False
    try:
        held = guesses.hold(guesses.MAILED_CODE, proof.pk, now=now)
    except TooManyGuesses as error:
        raise MfaAttempts(retry_after=error.retry_after) from None
    right = hmac.compare_digest(mail_code(proof.letter_id).encode(), code.strip().encode("utf-8", "replace"))
    if not right:
        guesses.failed(held)
        return False
    try:
        proofs.spend(proof, now=now)
    except LinkInvalid:
        return False
    guesses.passed(held)
    return True


def masked(email: str) -> str:
    """`a***@example.com`."""
    name, _, domain = email.partition("@")
    return f"{name[:1]}***@{domain}"
