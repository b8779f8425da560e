"""Settings that would only fail when the first person signs in fail at `manage.py check` instead. Values are never shown."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error

from engine.ports import PortFailure
from identity import ceremonies
from integrations import egress


def check_settings(**_: Any) -> list[CheckMessage]:
    """Passkeys' domain and origins, Google's client, and where providers may send people back to."""
    problems: list[CheckMessage] = []
    host = urlsplit(settings.PUBLIC_URL).hostname or ""
    domain = ceremonies.relying_party()
    if host != domain and not host.endswith(f".{domain}"):
        problems.append(
            Error(
                "AUTERITY_PASSKEY_DOMAIN must be the host of AUTERITY_PUBLIC_URL or a domain above it: browsers take no other.",
                id="identity.E001",
            )
        )
    for each in settings.PASSKEY_ORIGINS:
        parts = urlsplit(each)
        is_app = each.startswith("android:apk-key-hash:")
        if not is_app and (parts.scheme not in ("http", "https") or not parts.netloc or parts.path or parts.query):
            problems.append(Error("AUTERITY_PASSKEY_ORIGINS: an origin is scheme and host alone.", id="identity.E002"))
    if bool(settings.GOOGLE["client_id"]) != bool(settings.GOOGLE["client_secret"]):
        problems.append(
            Error("AUTERITY_GOOGLE_CLIENT_ID and AUTERITY_GOOGLE_CLIENT_SECRET go together.", id="identity.E003")
        )
    try:
        egress.check_url(settings.GOOGLE["issuer"])
    except PortFailure as error:
        problems.append(Error(f"AUTERITY_GOOGLE_ISSUER: {error.message}", id="identity.E004"))
    except ValueError:
        pass  # AUTERITY_EGRESS_ALLOW cannot be read, which integrations.E001 tells.
    for each in settings.OAUTH_REDIRECT_URIS:
        parts = urlsplit(each)
        if not parts.scheme or parts.fragment or "*" in each:
            problems.append(
                Error("AUTERITY_OAUTH_REDIRECT_URIS: each is one whole address, without * and #.", id="identity.E005")
            )
    return problems
