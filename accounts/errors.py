"""What can go wrong with accounts and tokens. No message tells whether an account exists, except `EmailTaken`."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from auterity.kernel.errors import DomainError, FieldProblem, InvalidInput, Kind


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


class RefreshReused(TokenInvalid):
    """A token that buys one refresh came a second time, and its login was ended for it."""

    slug = "refresh_reused"
    sentence = "This token was used before. The login it belongs to has been ended."


class RegistrationClosed(DomainError):
    kind = Kind.FORBIDDEN
    slug = "registration_closed"
    sentence = "New accounts cannot be made this way. Ask an administrator to invite you."


class NativeRefreshOnly(TokenInvalid):
    """The login belongs to a native installation or to a device, which renew theirs at a door of their own."""

    slug = "native_refresh_only"
    sentence = "This login is renewed by its own app alone."


class UsernameTaken(DomainError):
    kind = Kind.CONFLICT
    slug = "username_taken"
    sentence = "This user name is already registered."


class MemberNotFound(DomainError):
    kind = Kind.NOT_FOUND
    slug = "member_not_found"
    sentence = "There is no such member in this organization."


class LastAdmin(DomainError):
    kind = Kind.CONFLICT
    slug = "last_admin"
    sentence = "An organization keeps at least one active admin. Make somebody else an admin first."


class QuotaExceeded(DomainError):
    """A limit of the organization is used up (000, Usage Quotas).

    `details`: counter, period (None for a level), limit, used, reset_date (None for a level) and retry_after in seconds.
    """

    kind = Kind.LIMITED
    slug = "quota_exceeded"
    sentence = "Your organization has used up its quota."


class AiQuotaExceeded(QuotaExceeded):
    """The same of AI calls or tokens, which 000 gives a code of its own."""

    slug = "ai_quota_exceeded"
    sentence = "Your organization has used up its AI quota."


class OrganizationNotFound(DomainError):
    """Missing, switched off, or one that the person does not belong to: they look alike."""

    kind = Kind.NOT_FOUND
    slug = "organization_not_found"
    sentence = "You do not belong to such an organization."


class MemberExists(DomainError):
    kind = Kind.CONFLICT
    slug = "member_exists"
    sentence = "Somebody with this address belongs to the organization already. Switch the membership on if it is off."


class InvitationNotFound(DomainError):
    kind = Kind.NOT_FOUND
    slug = "invitation_not_found"
    sentence = "There is no such invitation in this organization."


class InvitationPending(DomainError):
    """`details.invitation_id` is the one that is open."""

    kind = Kind.CONFLICT
    slug = "invitation_pending"
    sentence = "This address has an open invitation. Send that one again, or revoke it first."


class InvitationClosed(DomainError):
    kind = Kind.CONFLICT
    slug = "invitation_closed"
    sentence = "This invitation was accepted or revoked. Invite the address anew."


class InvitationInvalid(DomainError):
    """The link is not one of ours, or was used, replaced, revoked or is too old: one message for all of them."""

    kind = Kind.NOT_FOUND
    slug = "invitation_invalid"
    sentence = (
        "This invitation is not valid: it was used, withdrawn or replaced, or its time is over. Ask for a new one."
    )


class InvitationForAnotherAddress(DomainError):
    kind = Kind.FORBIDDEN
    slug = "invitation_for_another_address"
    sentence = "This invitation was sent to another address than the one you are signed in with."


class LinkInvalid(DomainError):
    """Not one of our links, used, replaced or too old: one message for all of them."""

    slug = "link_invalid"
    sentence = "This link is not valid: it was used or replaced, or its time is over. Ask for a new one."


class RoleNotFound(DomainError):
    kind = Kind.NOT_FOUND
    slug = "role_not_found"
    sentence = "There is no such role in this organization."


class RoleTaken(DomainError):
    kind = Kind.CONFLICT
    slug = "role_taken"
    sentence = "The organization has a role of this name."


class RoleInUse(DomainError):
    """`details`: how many members and undecided invitations have it."""

    kind = Kind.CONFLICT
    slug = "role_in_use"
    sentence = "Somebody has this role or is invited with it. Give them another one first."


class ApiKeyNotFound(DomainError):
    kind = Kind.NOT_FOUND
    slug = "api_key_not_found"
    sentence = "There is no such API key in this organization."


class ApiKeysForbidden(DomainError):
    kind = Kind.FORBIDDEN
    slug = "api_keys_forbidden"
    sentence = "This organization does not allow API keys."


class ApiKeyNotFromHere(DomainError):
    """The key is good, but its list of addresses does not have the caller's."""

    kind = Kind.FORBIDDEN
    slug = "api_key_not_from_here"
    sentence = "This API key may not be used from your address."


class TooManyApiKeys(DomainError):
    kind = Kind.CONFLICT
    slug = "too_many_api_keys"
    sentence = "There are as many living API keys as there may be. Revoke one first."


class ServiceAccountNotFound(DomainError):
    kind = Kind.NOT_FOUND
    slug = "service_account_not_found"
    sentence = "There is no such service account in this organization."


class TooManyServiceAccounts(DomainError):
    kind = Kind.CONFLICT
    slug = "too_many_service_accounts"
    sentence = "The organization has as many service accounts as it may have. Remove one first."


class TooManyRoles(DomainError):
    kind = Kind.CONFLICT
    slug = "too_many_roles"
    sentence = "The organization has as many roles of its own as it may have. Delete one first."


class PasswordWeak(InvalidInput):
    """`details.rules` lists what the password breaks."""

    slug = "password_weak"
    sentence = "This password cannot be chosen."

    def __init__(self, problems: list[FieldProblem]) -> None:
        super().__init__(problems)
        self.details = {"rules": [each.message for each in problems]}


class PasswordReused(InvalidInput):
    slug = "password_reused"
    sentence = "This is your present password or one of your last ones."


# -- second factors, locks and policies --------------------------------------------------------------------------------


class MfaRequired(DomainError):
    """The first factor was right, and a second one is wanted.

    `details`: mfa_token (to be sent back with a factor), methods, expires_at. `risk` is for who shows how the login was judged.
    """

    kind = Kind.UNAUTHENTICATED
    slug = "mfa_required"
    sentence = "A second factor is needed to finish this login."

    def __init__(
        self, *, mfa_token: str, methods: list[str], expires_at: datetime, risk: dict[str, Any] | None = None
    ) -> None:
        super().__init__(mfa_token=mfa_token, methods=methods, expires_at=expires_at.strftime("%Y-%m-%dT%H:%M:%SZ"))
        self.risk = risk


class MfaTokenInvalid(DomainError):
    """Not one of ours, used, destroyed by wrong codes, or older than five minutes."""

    kind = Kind.UNAUTHENTICATED
    slug = "mfa_token_invalid"
    sentence = "This login is not waiting for a second factor any more. Log in again."


class MfaInvalid(DomainError):
    """A code that is wrong, was used before, or whose time is over: one message for all of them."""

    kind = Kind.UNAUTHENTICATED
    slug = "mfa_invalid"
    sentence = "This code is not valid."


class MfaAttempts(DomainError):
    """`details.retry_after` is in seconds; 0 where another login may be begun at once."""

    kind = Kind.LIMITED
    slug = "mfa_attempts"
    sentence = "Too many wrong codes."


class MfaMethodUnavailable(DomainError):
    """`details.methods` are the ones there are."""

    slug = "mfa_method_unavailable"
    sentence = "This account does not have that second factor."


class MfaAlreadyEnabled(DomainError):
    kind = Kind.CONFLICT
    slug = "mfa_already_enabled"
    sentence = "An authenticator is set up already. Disable it first."


class MfaNotEnabled(DomainError):
    slug = "mfa_not_enabled"
    sentence = "No authenticator is set up."


class NoPendingSetup(DomainError):
    slug = "no_pending_setup"
    sentence = "No authenticator is being set up, or the time for it is over. Begin again."


class PolicyRequiresMfa(DomainError):
    kind = Kind.FORBIDDEN
    slug = "policy_requires_mfa"
    sentence = "Your organization makes a second factor compulsory."


class FreshLoginRequired(DomainError):
    """`details.methods` are the ways to prove oneself again."""

    kind = Kind.FORBIDDEN
    slug = "fresh_login_required"
    sentence = "Prove yourself again to do this: your login is older than ten minutes."


class OwnLoginRequired(DomainError):
    """What belongs to the person, whichever organization they are in, is not changed on one organization's word."""

    kind = Kind.FORBIDDEN
    slug = "own_login_required"
    sentence = "Sign in with something of your own to do this, such as your password: your organization's provider is not enough."


class AccountLocked(DomainError):
    """Too many failures, whether or not there is such an account. `details.retry_after` is in seconds."""

    kind = Kind.LIMITED
    slug = "account_locked"
    sentence = "Too many failed logins. Try again later, or choose a new password."


class AddressNotAllowed(DomainError):
    """The organization's policy names the networks one may come from."""

    kind = Kind.FORBIDDEN
    slug = "address_not_allowed"
    sentence = "Your organization does not allow logins from this network."


class PasswordExpired(DomainError):
    kind = Kind.FORBIDDEN
    slug = "password_expired"
    sentence = "This password is older than your organization allows. Choose a new one by a mailed link."


class RiskBlocked(DomainError):
    """`details.level` says how the login was judged; why is for the trail only."""

    kind = Kind.FORBIDDEN
    slug = "risk_blocked"
    sentence = "This login was refused because it looks unlike the earlier ones of this account."


class SessionNotFound(DomainError):
    kind = Kind.NOT_FOUND
    slug = "session_not_found"
    sentence = "You have no such login."


class TierTooLow(DomainError):
    """`details`: required_tier, current_tier and what is missing."""

    kind = Kind.FORBIDDEN
    slug = "tier_too_low"
    sentence = "This needs a higher security tier."


# What `accounts.tiers.require_action` says to somebody who has the permission.
NOT_AS_YOU_ARE = (FreshLoginRequired, TierTooLow)
