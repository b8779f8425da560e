"""Registering and using passkeys. A challenge is spent, by one guarded UPDATE, before anything signed over it is looked at."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone

from accounts import homes, letters, logins, vouching
from accounts.clients import Client
from accounts.factors import Factor
from accounts.models import LetterKind, User, normal_email
from accounts.pairs import TokenPair
from audit import trail
from auterity.kernel.access import Actor
from auterity.kernel.events import publish
from identity import ceremonies
from identity.errors import (
    AssertionInvalid,
    ChallengeInvalid,
    PasskeyCloned,
    PasskeyExists,
    PasskeyLimit,
)
from identity.events import PasskeyAdded, PasskeySuspended
from identity.models import Ceremony, Passkey, Purpose

if TYPE_CHECKING:
    from identity.verification import Asserted

LIMIT: Final = 10
LIFETIME: Final = dt.timedelta(minutes=5)
REQUIRED, PREFERRED = "required", "preferred"


@dataclass(frozen=True, slots=True)
class Begun:
    """A challenge and what a browser is to do with it; `options` are named as WebAuthn names them."""

    id: UUID
    expires_at: dt.datetime
    options: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Added:
    passkey: Passkey
    total: int


@dataclass(frozen=True, slots=True)
class SignedIn:
    pair: TokenPair
    passkey: Passkey


# -- registering -----------------------------------------------------------------------------------------------------


def begin_registration(
    *,
    actor: Actor,
    nickname: str = "",
    attachment: str = "",
    resident_key: str = PREFERRED,
    user_verification: str = PREFERRED,
    now: dt.datetime | None = None,
) -> Begun:
    """Options for a new passkey of the actor's. Raises `FreshLoginRequired`, `OwnLoginRequired` or `PasskeyLimit`."""
    now = now or timezone.now()
    logins.require_fresh(actor, now=now)
    vouching.require_own(actor)
    user = User.objects.get(pk=actor.user_id)
    present = list(Passkey.objects.filter(user=user).order_by("id"))
    if len(present) >= LIMIT:
        raise PasskeyLimit(limit=LIMIT)
    row = Ceremony.objects.create(
        purpose=Purpose.REGISTER,
        challenge=ceremonies.challenge(),
        user=user,
        session_id=actor.session_id,
        user_verification=user_verification,
        nickname=nickname,
        expires_at=now + LIFETIME,
    )
    selection = {
        **({"authenticatorAttachment": attachment} if attachment else {}),
        "residentKey": resident_key,
        "requireResidentKey": resident_key == REQUIRED,
        "userVerification": user_verification,
    }
    options = {
        "challenge": ceremonies.text(bytes(row.challenge)),
        "rp": {"id": ceremonies.relying_party(), "name": "Auterity"},
        "user": {
            "id": ceremonies.text(user.pk.bytes),
            "name": user.email,
            "displayName": f"{user.first_name} {user.last_name}".strip() or user.email,
        },
        "pubKeyCredParams": [{"type": "public-key", "alg": each} for each in ceremonies.ALGORITHMS],
        "timeout": ceremonies.TIMEOUT_MS,
        "excludeCredentials": ceremonies.descriptors(present),
        "authenticatorSelection": selection,
        "attestation": "none",
    }
    return Begun(row.pk, row.expires_at, options)


def finish_registration(
    *,
    actor: Actor,
    ceremony_id: UUID,
    credential: Mapping[str, Any],
    nickname: str = "",
    now: dt.datetime | None = None,
) -> Added:
    """Store a passkey that answered the actor's own challenge, in the login that asked for it.

    Raises `ChallengeInvalid`, `AttestationInvalid`, `PasskeyExists` or `PasskeyLimit`.
    """
    from identity import verification  # Here, so that no start waits for what only passkeys need.

    now = now or timezone.now()
    ceremony = _spent(
        Q(pk=ceremony_id, purpose=Purpose.REGISTER, user_id=actor.user_id, session_id=actor.session_id), now
    )
    found = verification.registered(
        credential, challenge=bytes(ceremony.challenge), verified=ceremony.user_verification == REQUIRED
    )
    try:
        with transaction.atomic():
            owner = User.objects.select_for_update().get(pk=actor.user_id)  # Of two at once one is the eleventh.
            count = Passkey.objects.filter(user_id=actor.user_id).count()
            if count >= LIMIT:
                raise PasskeyLimit(limit=LIMIT)
            made = Passkey.objects.create(
                user_id=actor.user_id,
                credential_id=found.credential_id,
                public_key=found.public_key,
                sign_count=found.sign_count,
                nickname=nickname or ceremony.nickname or f"Passkey {count + 1}",
                aaguid=found.aaguid,
                transports=found.transports,
                backup_eligible=found.backup_eligible,
                backed_up=found.backed_up,
                user_verified=found.user_verified,
            )
            letters.owe_notice(LetterKind.PASSKEY_ADDED, owner.email)
            publish(PasskeyAdded(made.pk, actor.user_id, actor.organization_id, made.nickname))
            record("passkey.registered", "create", actor, made)
    except IntegrityError as error:
        raise PasskeyExists from error
    return Added(made, count + 1)


# -- signing in ------------------------------------------------------------------------------------------------------


def begin_authentication(
    *,
    username: str = "",
    mfa_token: str = "",
    actor: Actor | None = None,
    user_verification: str = "",
    now: dt.datetime | None = None,
) -> Begun:
    """Options for a signature by a passkey: of the pending login's person, of the actor, of the one who is named, or of anybody.

    A name that nobody has, and one whose person has no passkey, get a list that stays the same (`ceremonies.decoy`).
    Raises `MfaTokenInvalid`.
    """
    now = now or timezone.now()
    user: User | None = None
    if mfa_token:
        user = logins.read_mfa_token(mfa_token, now=now).user
    elif actor is not None:
        user = User.objects.get(pk=actor.user_id)
    elif username:
        user = User.objects.filter(email=normal_email(username)).first()
    rows = list(Passkey.objects.filter(user=user, suspended_at=None).order_by("id")) if user is not None else []
    allowed = ceremonies.descriptors(rows)
    if not allowed and user is not None:
        allowed = ceremonies.decoy(user.email)
    elif not allowed and username:
        allowed = ceremonies.decoy(username)
    second = bool(mfa_token) or actor is not None
    row = Ceremony.objects.create(
        purpose=Purpose.AUTHENTICATE,
        challenge=ceremonies.challenge(),
        user=user,
        session_id=actor.session_id if actor is not None and not mfa_token else None,
        pending=_hash(mfa_token) if mfa_token else "",
        named=bool(allowed),
        user_verification=user_verification or (PREFERRED if second else REQUIRED),
        expires_at=now + LIFETIME,
    )
    options = {
        "challenge": ceremonies.text(bytes(row.challenge)),
        "rpId": ceremonies.relying_party(),
        "timeout": ceremonies.TIMEOUT_MS,
        "allowCredentials": allowed,
        "userVerification": row.user_verification,
    }
    return Begun(row.pk, row.expires_at, options)


def sign_in(
    *,
    ceremony_id: UUID,
    credential: Mapping[str, Any],
    client: Client,
    mfa_token: str = "",
    now: dt.datetime | None = None,
) -> SignedIn:
    """Open a login by a passkey, or finish one that waits for its second factor.

    Alone, a passkey must have verified its person, and then counts as both factors. Raises `ChallengeInvalid`,
    `AssertionInvalid`, `PasskeyCloned`, `MfaTokenInvalid`, `AccountInactive`, and what the account's policies refuse.
    """
    now = now or timezone.now()
    pending = _hash(mfa_token) if mfa_token else ""
    asked = Q(pk=ceremony_id, purpose=Purpose.AUTHENTICATE, pending=pending, session_id=None)
    ceremony = _spent(asked, now)
    waits = logins.read_mfa_token(mfa_token, now=now) if mfa_token else None
    passkey = _answered(ceremony, credential, alone=waits is None, now=now)
    if waits is not None:
        return SignedIn(logins.complete(waits, factor=Factor.WEBAUTHN, client=client, now=now), passkey)
    return SignedIn(logins.open_login(passkey.user, client=client, factors={Factor.WEBAUTHN}, now=now), passkey)


def step_up(
    *, actor: Actor, ceremony_id: UUID, credential: Mapping[str, Any], now: dt.datetime | None = None
) -> tuple[dt.datetime, Passkey]:
    """Make the actor's login a fresh one; answers until when it is. The challenge may have been asked for by that login, or by
    nobody in particular. Raises `ChallengeInvalid`, `AssertionInvalid` or `PasskeyCloned`.
    """
    now = now or timezone.now()
    whose = Q(session_id=actor.session_id) | Q(session_id=None)
    owner = Q(user_id=actor.user_id) | Q(user=None)
    ceremony = _spent(Q(pk=ceremony_id, purpose=Purpose.AUTHENTICATE, pending="") & whose & owner, now)
    passkey = _answered(ceremony, credential, alone=False, now=now, user_id=actor.user_id)
    return logins.step_up(actor=actor, factors={Factor.WEBAUTHN}, now=now), passkey


def record(event: str, action: str, actor: Actor, passkey: Passkey) -> None:
    """Write to the organization's trail what somebody did with a passkey of theirs."""
    trail.record(
        event,
        action,
        organization_id=actor.organization_id,
        actor=actor,
        user_id=actor.user_id,
        resource_type="passkey",
        resource_id=str(passkey.pk),
        details={"nickname": passkey.nickname},
    )


# -- inside ----------------------------------------------------------------------------------------------------------


def _spent(asked: Q, now: dt.datetime) -> Ceremony:
    """The challenge, used up whatever comes of it. Of two who use it at once one gets it. Raises `ChallengeInvalid`."""
    found = Ceremony.objects.select_related("user").filter(asked).first()
    unused = Ceremony.objects.filter(asked, used_at=None, expires_at__gt=now)
    if found is None or not unused.update(used_at=now):
        raise ChallengeInvalid
    return found


def _answered(
    ceremony: Ceremony, credential: Mapping[str, Any], *, alone: bool, now: dt.datetime, user_id: UUID | None = None
) -> Passkey:
    """The passkey that signed, its count moved on. Raises `AssertionInvalid` or `PasskeyCloned`."""
    from identity import verification  # As above.

    handle = (credential.get("response") or {}).get("userHandle") or None
    passkey = (
        Passkey.objects.select_related("user").filter(credential_id=str(credential.get("id", "")).rstrip("=")).first()
    )
    owner = user_id or ceremony.user_id
    if (
        passkey is None
        or passkey.suspended_at is not None
        or (ceremony.named and ceremony.user_id is None)
        or (owner is not None and passkey.user_id != owner)
        or (owner is None and handle is None)
        or not ceremonies.same_person(handle, passkey.user_id)
    ):
        raise AssertionInvalid
    found = verification.asserted(
        credential,
        challenge=bytes(ceremony.challenge),
        public_key=bytes(passkey.public_key),
        verified=alone or ceremony.user_verification == REQUIRED,
        backup_eligible=passkey.backup_eligible,
    )
    _count(passkey, found, now)
    return passkey


def _count(passkey: Passkey, found: Asserted, now: dt.datetime) -> None:
    """Move the count on, in one guarded UPDATE: of two answers with one count one is a copy's."""
    rows = Passkey.objects.filter(pk=passkey.pk, suspended_at=None)
    onward = rows.filter(sign_count=0) if found.sign_count == 0 else rows.filter(sign_count__lt=found.sign_count)
    if onward.update(sign_count=found.sign_count, backed_up=found.backed_up, last_used_at=now, updated_at=now):
        passkey.sign_count, passkey.backed_up, passkey.last_used_at = found.sign_count, found.backed_up, now
        return
    with transaction.atomic():
        if rows.update(suspended_at=now, updated_at=now):
            publish(
                PasskeySuspended(passkey.pk, passkey.user_id, passkey.nickname, passkey.sign_count, found.sign_count)
            )
            homes.record(
                "passkey.cloned",
                "suspend",
                user_id=passkey.user_id,
                resource_type="passkey",
                resource_id=str(passkey.pk),
                outcome="failure",
                severity="critical",
                details={"stored_count": passkey.sign_count, "count": found.sign_count},
            )
    raise PasskeyCloned


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
