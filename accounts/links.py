"""Links that we mail: a token that only this server can make from a row, of which the row keeps the hash to be found by."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import hmac
from urllib.parse import quote
from uuid import UUID

from django.conf import settings

from accounts.models import Invitation
from accounts.tokens import signing_key


def hash_of(token: str) -> str:
    """What is stored of a token."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def invitation_token(invitation: Invitation) -> str:
    """The token of an invitation's present link."""
    return _token("invitations", f"{invitation.pk}:{invitation.serial}")


def invitation_link(invitation: Invitation) -> str:
    """The address in the mail. Made anew each time, so that no link is stored."""
    return f"{settings.PUBLIC_URL}/invitations/{invitation_token(invitation)}"


def proof_token(letter_id: UUID) -> str:
    """The token of the link that a letter carries."""
    return _token("mailbox proofs", str(letter_id))


def proof_link(purpose: str, letter_id: UUID, onward: str = "") -> str:
    """The address in the mail: `/password-reset/{token}` or `/email-verification/{token}`, and where one goes on from there."""
    link = f"{settings.PUBLIC_URL}/{purpose.replace('_', '-')}/{proof_token(letter_id)}"
    return f"{link}?next={quote(onward, safe='/')}" if onward else link


def is_of_this_server(path: str) -> bool:
    """Whether no browser takes the path for another server's: it begins with one slash, and holds nothing that browsers take
    for a slash (`\\`) or pass over (tabs, line ends)."""
    return path.startswith("/") and not path.startswith("//") and "\\" not in path and path.isprintable()


def mail_code(letter_id: UUID) -> str:
    """The six digits that a letter carries."""
    digest = hmac.digest(signing_key("mail codes"), str(letter_id).encode(), hashlib.sha256)
    return f"{int.from_bytes(digest[:8]) % 1_000_000:06d}"


def is_open(invitation: Invitation, now: dt.datetime) -> bool:
    """Whether an invitation can still be accepted, as far as its row says."""
    return invitation.accepted_at is None and invitation.revoked_at is None and invitation.expires_at > now


def _token(purpose: str, about: str) -> str:
    """256 bits: whoever can read the database alone cannot follow a link."""
    digest = hmac.digest(signing_key(purpose), about.encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
