"""Google as a provider: the operator's client, and what each of our scopes asks for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from django.conf import settings

from auterity.kernel.access import Actor
from identity import signins
from identity.errors import LoginNeeded, OAuthNotConfigured, ScopeUnknown
from identity.oidc import Provider
from identity.signins import Begun

NAME: Final = "google"
ISSUER: Final = "https://accounts.google.com"
SCOPES: Final = {
    "login": ("openid", "email", "profile"),
    "calendar": ("https://www.googleapis.com/auth/calendar",),
    "drive": ("https://www.googleapis.com/auth/drive",),
}


def is_configured() -> bool:
    return bool(settings.GOOGLE["client_id"] and settings.GOOGLE["client_secret"])


def provider() -> Provider:
    """Raises `OAuthNotConfigured`."""
    if not is_configured():
        raise OAuthNotConfigured
    issuer = settings.GOOGLE["issuer"]
    # Google's older tokens name it without the scheme (Google Identity, "Validate an ID token").
    names = frozenset({"accounts.google.com"}) if issuer == ISSUER else frozenset()
    return Provider(issuer, settings.GOOGLE["client_id"], settings.GOOGLE["client_secret"], names)


def begin(*, scopes: Sequence[str], actor: Actor | None = None, redirect_uri: str = "", login_hint: str = "") -> Begun:
    """The way to Google. `scopes` are login, calendar, drive; all but login need an `actor`, whom the account is linked to.

    Raises `ScopeUnknown`, `LoginNeeded`, `OAuthNotConfigured`, `RedirectRefused` or `ProviderUnavailable`.
    """
    wanted = [each for each in SCOPES if each in {"login", *scopes}]
    if len(wanted) != len({"login", *scopes}):
        raise ScopeUnknown
    if actor is None and len(wanted) > 1:
        raise LoginNeeded
    asked = [name for each in wanted for name in SCOPES[each]]
    # Without both of these Google gives no refresh token to somebody who consented before.
    more = {"access_type": "offline", "prompt": "consent", "include_granted_scopes": "true"} if len(wanted) > 1 else {}
    return signins.begin(
        provider(),
        asked=asked,
        scopes=wanted,
        actor=actor,
        redirect_uri=redirect_uri,
        login_hint=login_hint,
        more=more,
    )


def ours(granted: frozenset[str], asked: Sequence[str]) -> list[str]:
    """Which of our scopes were granted; people may untick some. What was asked for, where the provider does not say."""
    if not granted:
        return list(asked)
    return [
        name for name, needed in SCOPES.items() if name in asked and (name == "login" or granted.issuperset(needed))
    ]
