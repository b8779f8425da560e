"""The token of a login whose second factor is owed: signed, good for one use within five minutes."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import jwt
from django.conf import settings
from django.db import IntegrityError, transaction

from accounts.clients import Client
from accounts.errors import MfaTokenInvalid
from accounts.factors import Factor
from accounts.models import SpentToken, User
from accounts.tokens import ALGORITHM, LONGEST, signing_key
from auterity.kernel.models import uuid7

LIFETIME: Final = timedelta(minutes=5)
AUDIENCE: Final = "auterity:mfa"


@dataclass(frozen=True, slots=True)
class PendingLogin:
    """Somebody whose first factors were right."""

    token_id: UUID
    user: User
    organization_id: UUID | None
    factors: frozenset[Factor]
    client: Client
    expires_at: datetime


def issue(
    user: User, *, client: Client, factors: Collection[Factor], organization_id: UUID | None, now: datetime
) -> tuple[str, datetime]:
    """The token and its end. It opens nothing but `read`: it is signed under a key of its own."""
    expires_at = (now + LIFETIME).replace(microsecond=0)
    claims: dict[str, Any] = {
        "iss": settings.TOKEN_ISSUER,
        "aud": AUDIENCE,
        "typ": "mfa",
        "jti": str(uuid7()),
        "sub": str(user.pk),
        "ver": user.token_version,
        "org": str(organization_id) if organization_id else None,
        "amr": sorted(factors),
        "client": client.as_json(),
        "exp": int(expires_at.timestamp()),
    }
    return jwt.encode(claims, signing_key("mfa"), algorithm=ALGORITHM), expires_at


def read(token: str, *, now: datetime) -> PendingLogin:
    """The login behind a token. Raises `MfaTokenInvalid`, also once it was spent or every token of the person was ended."""
    if not token.isascii() or len(token) > LONGEST:
        raise MfaTokenInvalid
    try:
        claims = jwt.decode(
            token,
            signing_key("mfa"),
            algorithms=[ALGORITHM],
            issuer=settings.TOKEN_ISSUER,
            audience=AUDIENCE,
            options={"require": ["iss", "aud", "typ", "jti", "sub", "ver", "exp"], "verify_exp": False},
        )
        token_id, user_id = UUID(claims["jti"]), UUID(claims["sub"])
        organization_id = UUID(claims["org"]) if claims["org"] else None
        factors = frozenset(Factor(each) for each in claims["amr"])
        expires_at = datetime.fromtimestamp(claims["exp"], UTC)
        client = Client.from_json(claims["client"])
    except (jwt.PyJWTError, KeyError, ValueError, TypeError, AttributeError) as error:
        raise MfaTokenInvalid from error
    user = User.objects.filter(pk=user_id, token_version=claims["ver"]).first()
    if user is None or expires_at <= now or SpentToken.objects.filter(pk=token_id).exists():
        raise MfaTokenInvalid
    return PendingLogin(token_id, user, organization_id, factors, client, expires_at)


def spend(pending: PendingLogin) -> None:
    """Use the token up. Of two who do it at once, one gets through. Raises `MfaTokenInvalid`."""
    try:
        with transaction.atomic():
            SpentToken(pk=pending.token_id, expires_at=pending.expires_at).save(force_insert=True)
    except IntegrityError:
        raise MfaTokenInvalid from None


def forget(*, before: datetime) -> int:
    """Delete the records of tokens whose time was over before that moment. Returns how many."""
    return SpentToken.objects.filter(expires_at__lt=before).delete()[0]
