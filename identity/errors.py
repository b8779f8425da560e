"""What can go wrong with passkeys and with other providers' accounts. No message tells whether an account exists, but where the
person has just proved the address to be theirs."""

from __future__ import annotations

from auterity.kernel.errors import DomainError, Kind


class LoginNeeded(DomainError):
    """Something is linked to somebody, and nobody is logged in."""

    kind = Kind.UNAUTHENTICATED
    slug = "login_needed"
    sentence = "Log in first: calendar and drive are linked to somebody. Send the token of a login of yours."


class ChallengeInvalid(DomainError):
    """Unknown, used, too old, or of another login: one message for all of them."""

    slug = "challenge_invalid"
    sentence = "This challenge is not valid: it is unknown, was used, belongs to another login, or its time is over."


class AttestationInvalid(DomainError):
    slug = "attestation_invalid"
    sentence = "The new passkey could not be verified."


class AssertionInvalid(DomainError):
    """An unknown passkey, or one whose answer does not verify: one message for all of them."""

    kind = Kind.UNAUTHENTICATED
    slug = "assertion_invalid"
    sentence = "The passkey could not be verified."


class PasskeyCloned(DomainError):
    """A good signature with a count that went back. The passkey is suspended from now on."""

    kind = Kind.UNAUTHENTICATED
    slug = "passkey_cloned"
    sentence = "This passkey seems to have been copied, and was suspended. Sign in another way and register a new one."


class PasskeyExists(DomainError):
    kind = Kind.CONFLICT
    slug = "passkey_exists"
    sentence = "This passkey is registered already."


class PasskeyLimit(DomainError):
    """`details.limit` is how many an account may have."""

    kind = Kind.CONFLICT
    slug = "passkey_limit"
    sentence = "An account may have 10 passkeys. Delete one first."


class PasskeyNotFound(DomainError):
    kind = Kind.NOT_FOUND
    slug = "passkey_not_found"
    sentence = "You have no such passkey."


class OAuthNotConfigured(DomainError):
    kind = Kind.UNAVAILABLE
    slug = "oauth_not_configured"
    sentence = "Signing in with Google is not set up on this server: its client id and secret are missing."


class RedirectRefused(DomainError):
    slug = "redirect_refused"
    sentence = "This redirect_uri is not on the list of allowed ones. It must be there letter by letter."


class ScopeUnknown(DomainError):
    slug = "scope_unknown"
    sentence = "Unknown scope. Known are login, calendar and drive."


class StateInvalid(DomainError):
    """Unknown, used, too old, of another browser or login, or come back from another provider: one message for all."""

    slug = "state_invalid"
    sentence = (
        "This state is not valid: it is unknown, was used, belongs to another login, or its time is over. Begin anew."
    )


class ConsentDenied(DomainError):
    """`details.error` is the provider's own word for it."""

    slug = "consent_denied"
    sentence = "The provider did not let you in: consent was refused or cannot be given."


class ExchangeRefused(DomainError):
    """The provider rejects the code, or what it says of the person does not verify. `details.reason` says which check failed."""

    kind = Kind.UNAUTHENTICATED
    slug = "exchange_refused"
    sentence = "The provider's answer could not be verified."


class ProviderUnavailable(DomainError):
    kind = Kind.UNAVAILABLE
    slug = "provider_unavailable"
    sentence = "The provider does not answer as it should. Please try again later."


class LinkedElsewhere(DomainError):
    kind = Kind.CONFLICT
    slug = "linked_elsewhere"
    sentence = "This account at the provider is linked to another user."


class LinkRequired(DomainError):
    """The address has an account here. It is not taken for the person's own because a provider says so."""

    kind = Kind.CONFLICT
    slug = "link_required"
    sentence = "There is an account with this address. Sign in to it another way, then link the provider to it."


class AddressUnverified(DomainError):
    kind = Kind.FORBIDDEN
    slug = "address_unverified"
    sentence = "The provider has not verified your mail address, so no account can be made from it."


class DomainRefused(DomainError):
    kind = Kind.FORBIDDEN
    slug = "domain_refused"
    sentence = "Addresses of this domain may not sign in here."


class SsoRequired(DomainError):
    """`details.provider_id` is where to sign in instead."""

    kind = Kind.FORBIDDEN
    slug = "sso_required"
    sentence = "This organization's people sign in with its own provider."


class SsoNotFound(DomainError):
    kind = Kind.NOT_FOUND
    slug = "sso_not_found"
    sentence = "There is no such sign-in provider."


class IdentityNotFound(DomainError):
    kind = Kind.NOT_FOUND
    slug = "identity_not_found"
    sentence = "You have no such linked account."


class SsoElsewhere(DomainError):
    """An organization's provider vouched for the person in that organization only."""

    kind = Kind.FORBIDDEN
    slug = "sso_elsewhere"
    sentence = "You signed in with another organization's provider. Sign in to this one in its own way."
