"""What can go wrong with accounts and tokens. No message tells whether an account exists, except `EmailTaken`."""

from __future__ import annotations

from datetime import datetime

from auterity.kernel.errors import DomainError, Kind


class NotAuthenticated(DomainError):
    """No token was sent, or the actor has no login behind it."""

    kind = Kind.UNAUTHENTICATED
    slug = "not_authenticated"
    sentence = "Authentication is required."


class WrongCredentials(DomainError):
    """Unknown address, wrong password or one that cannot be right: one message for all of them."""

    kind = Kind.UNAUTHENTICATED
    slug = "wrong_credentials"
    sentence = "Invalid email or password."


class AccountInactive(DomainError):
    """The password was right, but the account, its membership or its organization is switched off."""

    kind = Kind.FORBIDDEN
    slug = "account_inactive"
    sentence = "This account is not active."


class EmailTaken(DomainError):
    kind = Kind.CONFLICT
    slug = "email_taken"
    sentence = "This email address is already registered."


class TokenInvalid(DomainError):
    """Not one of our tokens, not for this door, or its login has ended."""

    kind = Kind.UNAUTHENTICATED
    slug = "token_invalid"
    sentence = "The token is not valid."


class TokenExpired(DomainError):
    """A genuine token past its time. `details.expired_at` is when that was (000, error example 401)."""

    kind = Kind.UNAUTHENTICATED
    slug = "token_expired"
    sentence = "The token has expired."

    def __init__(self, message: str | None = None, *, expired_at: datetime) -> None:
        super().__init__(message, expired_at=expired_at.strftime("%Y-%m-%dT%H:%M:%SZ"))


class MemberNotFound(DomainError):
    kind = Kind.NOT_FOUND
    slug = "member_not_found"
    sentence = "There is no such member in this organization."


class LastAdmin(DomainError):
    kind = Kind.CONFLICT
    slug = "last_admin"
    sentence = "An organization keeps at least one active admin. Make somebody else an admin first."
