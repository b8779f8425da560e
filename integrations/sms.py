"""Text messages by the server's own setting AUTERITY_SMS_URL, for organizations without a connection of their own."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from auterity.kernel.errors import InvalidInput
from engine.ports import NotConfigured, SmsPort
from integrations.connection_types import CONNECTION_TYPES

_FORM = "twilio://SID:TOKEN@?from=+15125550100 or messagebird://:KEY@?from=NAME"


def sms_by_url(url: str) -> SmsPort:
    """The provider that a URL names: scheme = type, user and password = credentials. Raises NotConfigured, never quoting it."""
    try:
        parts = urlsplit(url)
        asked = {name: values[0] for name, values in parse_qs(parts.query.replace("+", "%2B")).items()}
        user, password, place = unquote(parts.username or ""), unquote(parts.password or ""), parts.hostname
    except ValueError:
        raise NotConfigured(f"AUTERITY_SMS_URL must look like {_FORM}.") from None
    config: dict[str, Any] = {"from": asked.get("from", "")}
    if place:
        config["api_url"] = asked.get("api_url") or f"https://{place}"
    credentials = {
        "twilio": {"account_sid": user, "auth_token": password},
        "messagebird": {"access_key": password},
    }
    if parts.scheme not in credentials:
        raise NotConfigured(f"AUTERITY_SMS_URL must look like {_FORM}.")
    try:
        port: SmsPort = CONNECTION_TYPES.get(parts.scheme).create(config, credentials[parts.scheme])
    except InvalidInput as error:
        fields = ", ".join(sorted(each.field for each in error.problems))
        raise NotConfigured(f"AUTERITY_SMS_URL is not valid: {fields}. It must look like {_FORM}.") from None
    return port
