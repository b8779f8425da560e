"""What `manage.py check --deploy` says about the keys."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Warning


def check_server_keys(app_configs: Any, **_about: Any) -> list[CheckMessage]:
    if len(settings.VAULT_KEYS) > 1:
        return []
    return [
        Warning(
            "Stored credentials are protected by a key that is made of AUTERITY_SECRET_KEY.",
            hint="Set AUTERITY_VAULT_KEYS to a long random text of its own, then run `manage.py vault rewrap`.",
            id="vault.W001",
        )
    ]
