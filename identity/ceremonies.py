"""WebAuthn itself: where it may happen, and what an authenticator is asked (W3C, WebAuthn 3). `identity.verification` judges
the answers. Nothing here touches a table.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings

from accounts.models import normal_email
from accounts.tokens import signing_key

CHALLENGE_BYTES: Final = 32
TIMEOUT_MS: Final = 300_000
ALGORITHMS: Final = (-8, -7, -257)  # EdDSA, ES256 and RS256, as COSE numbers them.


def relying_party() -> str:
    """The domain that passkeys are bound to: AUTERITY_PASSKEY_DOMAIN, else the host of AUTERITY_PUBLIC_URL."""
    return settings.PASSKEY_DOMAIN or urlsplit(settings.PUBLIC_URL).hostname or "localhost"


def origins() -> list[str]:
    """The pages on which a passkey may be used: this server's own, and AUTERITY_PASSKEY_ORIGINS."""
    here = urlsplit(settings.PUBLIC_URL)
    return [f"{here.scheme}://{here.netloc}", *settings.PASSKEY_ORIGINS]


def challenge() -> bytes:
    return secrets.token_bytes(CHALLENGE_BYTES)


def text(raw: bytes) -> str:
    """Base64url without padding, as WebAuthn writes bytes."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decoy(username: str) -> list[dict[str, Any]]:
    """What somebody without passkeys seems to have: always the same for one name, and made by nobody without our key."""
    key = signing_key("passkey decoys")
    seed = hmac.digest(key, normal_email(username).encode("utf-8", "replace"), hashlib.sha512)
    return [{"type": "public-key", "id": text(seed[:32]), "transports": ["hybrid", "internal"]}]


def same_person(handle: str | None, user_id: UUID) -> bool:
    """Whether an answer's user handle is this person's; authenticators may leave it out."""
    return handle is None or hmac.compare_digest(_bytes_or_nothing(handle), user_id.bytes)


def descriptors(rows: Sequence[Any]) -> list[dict[str, Any]]:
    """Passkeys as a browser is told of them."""
    return [{"type": "public-key", "id": each.credential_id, "transports": each.transports} for each in rows]


# -- inside ----------------------------------------------------------------------------------------------------------


def _bytes_or_nothing(handle: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(handle + "=" * (-len(handle) % 4))
    except ValueError:
        return b""
