"""What can go wrong with native installations and devices. Nothing tells whether a device exists before its key has signed."""

from __future__ import annotations

from accounts.errors import TokenInvalid
from auterity.kernel.errors import DomainError, Kind


class KeyInvalid(DomainError):
    slug = "key_invalid"
    sentence = "This is no public key that is taken here: an Ed25519 or a P-256 key is, as PEM or JWK, without its private part."


class KeyInUse(DomainError):
    kind = Kind.CONFLICT
    slug = "key_in_use"
    sentence = "This key belongs to another device. Make a new key pair."


class DeviceLimit(DomainError):
    """`details.max_devices`."""

    kind = Kind.CONFLICT
    slug = "device_limit"
    sentence = "You have as many devices as you may have. Revoke one first."


class DeviceNotFound(DomainError):
    kind = Kind.NOT_FOUND
    slug = "device_not_found"
    sentence = "You have no such device."


class DeviceRevoked(DomainError):
    """Suspended devices too. Told only to whoever has the device's key or the person's password."""

    kind = Kind.FORBIDDEN
    slug = "device_revoked"
    sentence = "This device was revoked or suspended."


class DeviceChallengeInvalid(DomainError):
    """Unknown, used, too old, or another device's: one message for all of them."""

    kind = Kind.UNAUTHENTICATED
    slug = "device_challenge_invalid"
    sentence = "This challenge is not valid: it is unknown, was used, belongs to another device, or its time is over."


class SignatureInvalid(DomainError):
    """Also for a device that there is not: one message for both."""

    kind = Kind.UNAUTHENTICATED
    slug = "signature_invalid"
    sentence = "The signature is not the device's."


class ClientInvalid(DomainError):
    """No installation of ours, switched off, or not its secret: one message for all of them."""

    kind = Kind.UNAUTHENTICATED
    slug = "client_invalid"
    sentence = "This installation is not registered, or its secret is wrong."


class NoDeviceLogin(TokenInvalid):
    """A device proved itself, but there is no login of it that a narrow token could belong to."""

    slug = "no_device_login"
    sentence = "No login of this device is open. Authenticate the device first."


class RedirectUriInvalid(DomainError):
    slug = "redirect_uri_invalid"
    sentence = (
        "Give a loopback address (http://127.0.0.1/…) or one with a scheme of the app's own (com.example.app:/…)."
    )


class UpgradeRequired(DomainError):
    """`details.minimum_app_version`."""

    slug = "upgrade_required"
    sentence = "This version of the app is no longer supported. Install a newer one."


class GrantIncomplete(DomainError):
    """`details.grant_type`, and in `details.missing` what it needs."""

    slug = "grant_incomplete"
    sentence = (
        "Send what the chosen grant needs: a refresh token, a device's signature, or the bearer token of a login."
    )
