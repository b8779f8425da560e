"""Settings with a secret in them: of connections, and of the dealers' systems."""

from __future__ import annotations

from typing import Any

REST = {"base_url": "https://crm.example.com/v1"}
# A type of connection, its settings, what goes with its secret, and the secret's name.
CONNECTIONS: list[tuple[str, dict[str, Any], dict[str, Any], str]] = [
    ("custom_model", {"endpoint_url": "https://models.example.com/x"}, {}, "api_key"),
    ("custom_rest", REST, {}, "token"),
    ("custom_rest", REST, {"header": "X-Key"}, "api_key"),
    ("custom_rest", REST, {"username": "u"}, "password"),
    ("custom_rest", REST, {"client_id": "c", "token_url": "https://crm.example.com/token"}, "client_secret"),
    ("messagebird", {"from": "+15125550100"}, {}, "access_key"),
    ("mysql", {"host": "db.example.com", "database": "d"}, {"username": "u"}, "password"),
    ("openai", {}, {}, "api_key"),
    ("postgres", {"host": "db.example.com", "database": "d"}, {"username": "u"}, "password"),
    ("smtp", {"host": "mail.example.com", "from": "a@example.com"}, {"username": "u"}, "password"),
    ("twilio", {"from": "+15125550100"}, {"account_sid": "AC1"}, "auth_token"),
]
DMS: list[tuple[str, dict[str, str], str]] = [
    ("api_key", {}, "api_key"),
    ("basic_auth", {"username": "u"}, "password"),
    ("oauth2", {"client_id": "c"}, "client_secret"),
]


def dms_settings(kind: str, credentials: dict[str, str]) -> dict[str, Any]:
    auth: dict[str, Any] = {"type": kind, "credentials": credentials}
    if kind == "oauth2":
        auth["refresh_configuration"] = {"token_url": "https://dms.example.com/token"}
    return {
        "provider": "Custom",
        "configuration": {
            "base_url": "https://dms.example.com", "api_version": "v1", "timeout_ms": 5000, "retry_attempts": 0,
            "rate_limit": {"requests_per_minute": 60, "burst_size": 10},
        },
        "authentication": auth,
        "endpoints": {
            "customers": "customers", "vehicles": "vehicles", "service_appointments": "appointments",
            "sales_opportunities": "opportunities", "inventory": "inventory",
        },
    }  # fmt: skip
