"""The rate limits of the `business` dialect (cross.yaml, rate_limits; 004, "Rate Limiting"). Each login path has its own."""

from __future__ import annotations

from api.throttling import Limits, Rule, Scope

LOGINS = ("/api/v1/auth/register", "/api/v1/auth/login")
CHAT = "/api/v1/chat/sessions*"

LIMITS = Limits(
    name="business",
    rules=(
        *(Rule(path, 5, 5, scope, guards=True) for path in LOGINS for scope in (Scope.ADDRESS, Scope.ACCOUNT)),
        Rule(CHAT, 30, 30, Scope.USER),
        Rule("/*", 60, 60, Scope.USER, unless=(CHAT, *LOGINS)),
    ),
    accounts=("username", "email"),
)
