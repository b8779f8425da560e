"""Choosing another password, with the old one or with a mailed link, and confirming an address."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.contrib.auth.hashers import make_password
from django.db import transaction
from django.utils import timezone

from accounts import homes, inputs, letters, links, logins, password_rules, proofs, secret_words, sessions, tiers
from accounts.clients import Client
from accounts.errors import WrongCredentials
from accounts.events import PasswordChanged
from accounts.models import LetterKind, PasswordRecord, Session, TrustedDevice, User
from accounts.pairs import TokenPair
from auterity.kernel.access import Actor
from auterity.kernel.errors import InvalidInput
from auterity.kernel.events import publish

MOST_ONWARD = 300  # characters of a path to go on at


@dataclass(frozen=True, slots=True)
class Changed:
    """A password that counts from now on, and the login in place of the one it was changed in."""

    pair: TokenPair
    changed_at: datetime
    revoked_sessions: int


@dataclass(frozen=True, slots=True)
class Reset:
    """A password chosen by a mailed link."""

    user_id: UUID
    changed_at: datetime
    revoked_sessions: int


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
    """As `replace`, ending every login."""
    client = Client(dialect, access_seconds, address=address, user_agent=user_agent)
    return replace(actor=actor, current_password=current_password, new_password=new_password, client=client).pair


def replace(
    *, actor: Actor, current_password: str, new_password: str, client: Client, end_others: bool = True
) -> Changed:
    """Another password, proved by the present one. Every login of the person ends at once, also the one at hand; a new one is
    opened in the same organization. With `end_others` False only the one at hand is replaced.

    Raises `WrongCredentials`, `AccountLocked`, `TierTooLow` or `InvalidInput`.
    """
    tiers.require_action(actor, "change_password")
    session = logins.session_of(actor)
    user, now = User.objects.get(pk=actor.user_id), timezone.now()
    secret_words.confirm(user, current_password, now=now, message="This is not your present password.")
    inputs.new_password(new_password, user, "new_password")
    hashed, before = make_password(new_password), user.password
    with transaction.atomic():
        # Of two changes at once one wins; the other proved a password that is no longer the present one.
        if not _store(user, hashed, now=now, instead_of=before):
            raise WrongCredentials("This is not your present password.")
        if end_others:
            ended = sessions.revoke_all([user.pk], reason="password changed", now=now)
        else:
            ended = sessions.revoke(Session.objects.filter(pk=session.pk), reason="password changed", now=now)
        changed(user.pk, "changed", organization_id=actor.organization_id)
        return Changed(logins.reopen(session, client=client, now=now), now, ended)


def change_here(
    *, actor: Actor, current_password: str, new_password: str, end_others: bool = True
) -> tuple[datetime, int]:
    """Another password, proved by the present one, in a login that goes on with its tokens; the person's others end.

    Returns when, and how many logins ended. Raises `WrongCredentials`, `AccountLocked`, `TierTooLow`, `PasswordWeak` or
    `PasswordReused`.
    """
    tiers.require_action(actor, "change_password")
    session = logins.session_of(actor)
    user, now = User.objects.get(pk=actor.user_id), timezone.now()
    secret_words.confirm(user, current_password, now=now, message="This is not your present password.")
    inputs.new_password(new_password, user, "new_password")
    hashed, before = make_password(new_password), user.password
    with transaction.atomic():
        if not _store(user, hashed, now=now, instead_of=before):
            raise WrongCredentials("This is not your present password.")
        others = Session.objects.filter(user_id=user.pk).exclude(pk=session.pk)
        ended = 0
        if end_others:
            ended = sessions.revoke(others, reason="password changed", now=now)
            TrustedDevice.objects.filter(user_id=user.pk).exclude(fingerprint=session.fingerprint).delete()
        changed(user.pk, "changed", organization_id=actor.organization_id)
    return now, ended


def forgot(*, email: str, onward: str = "") -> None:
    """Have a link mailed, by which another password can be chosen within an hour, if the address has an account.

    `onward` is the path of this server at which one goes on then. Does the same whether the address has an account or not.
    Raises `InvalidInput` for what is no address, and for a path that leads elsewhere.
    """
    if onward and not (links.is_of_this_server(onward) and len(onward) <= MOST_ONWARD):
        raise InvalidInput.of(
            "redirect_path",
            "Give a path of this server, such as /welcome: one slash first, then no backslash and no control character, "
            f"at most {MOST_ONWARD} characters in all.",
            "format",
        )
    letters.owe_proof(LetterKind.PASSWORD_RESET, inputs.email(email), onward=onward)


def reset(*, token: str, password: str) -> Reset:
    """Choose another password by a mailed link, once. Ends every login of the person.

    Raises `LinkInvalid`, `PasswordWeak` or `PasswordReused`.
    """
    now = timezone.now()
    proof = proofs.find(token, LetterKind.PASSWORD_RESET, now=now)
    inputs.new_password(password, proof.user)
    hashed = make_password(password)
    with transaction.atomic():
        proofs.spend(proof, now=now)
        _store(proof.user, hashed, now=now)
        ended = sessions.revoke_all([proof.user_id], reason="password reset", now=now)
        changed(proof.user_id, "reset")
    secret_words.unlock(proof.user.email)
    return Reset(proof.user_id, now, ended)


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
        homes.record(
            "auth.email.verified",
            "verify",
            user_id=proof.user_id,
            resource_type="user",
            resource_id=proof.user_id,
        )


def chosen_by_operator(user: User) -> None:
    """An operator stored another password for somebody, who may have been locked out."""
    now = timezone.now()
    User.objects.filter(pk=user.pk).update(password_changed_at=now)
    remember(user)
    changed(user.pk, "operator")
    secret_words.unlock(user.email)


def remember(user: User) -> None:
    """Keep a hash that is or was in use, in the caller's transaction, so that it is not chosen again."""
    PasswordRecord.objects.create(user=user, password=user.password)
    kept = user.former_passwords.order_by("-id").values_list("pk", flat=True)[: password_rules.KEPT]
    user.former_passwords.exclude(pk__in=list(kept)).delete()


def changed(user_id: UUID, how: str, *, organization_id: UUID | None = None) -> None:
    """Tell it, and write it into the trail of every organization that lets the person in."""
    homes.record(
        f"auth.password.{how}",
        "choose another password",
        user_id=user_id,
        severity="medium",
        resource_type="user",
        resource_id=user_id,
    )
    letters.owe_notice(LetterKind.PASSWORD_CHANGED, User.objects.get(pk=user_id).email)
    publish(PasswordChanged(user_id, organization_id, how))


# -- inside ------------------------------------------------------------------------------------------------------------


def _store(user: User, hashed: str, *, now: datetime, instead_of: str | None = None) -> bool:
    """Put the hash in place, of `instead_of` only where that is given. False where it was another."""
    rows = User.objects.filter(pk=user.pk)
    if instead_of is not None:
        rows = rows.filter(password=instead_of)
    if not rows.update(password=hashed, password_changed_at=now, updated_at=now):
        return False
    remember(user)
    return True
