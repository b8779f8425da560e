"""The rate limits of the `auterity` dialect (cross.yaml, rate_limits; 000, "Rate Limiting"; 001, "Rate Limits by Endpoint")."""

from __future__ import annotations

from api.throttling import Limits, Rule, Scope

TRIGGERS = "/api/workflows/*/triggers/*"

# Where 000 and 001 both speak, both hold. 001 names no bursts: a whole minute's requests may come at once.
LIMITS = Limits(
    name="auterity",
    rules=(
        # 000 says user, 001 address: nobody is known before the login, so the account that is tried stands for the user.
        Rule("/api/auth/*", 10, 5, Scope.ADDRESS, guards=True),
        Rule("/api/auth/*", 10, 5, Scope.ACCOUNT, guards=True),
        Rule("/api/workflows/*/execute", 60, 10, Scope.ORGANIZATION),
        Rule("/api/workflows*", 100, 100, Scope.USER, unless=(TRIGGERS,)),
        Rule("/api/templates*", 50, 50, Scope.USER),
        Rule("/api/ai/*", 30, 5, Scope.ORGANIZATION),
        Rule("/api/ai/*", 20, 20, Scope.USER),
        Rule("/api/monitoring*", 200, 200, Scope.USER),
        # Machines call triggers, many workflows of one customer from one address. What a flood may start is limited apart.
        Rule(TRIGGERS, 600, 100, Scope.ADDRESS),
        Rule("/*", 100, 100, Scope.USER, otherwise=True),
    ),
    exempt=frozenset(
        {
            "/api/health",
            "/api/v1/health",
            "/docs",
            "/health",
            "/health/live",
            "/health/ready",
            "/openapi.json",
            "/redoc",
        }
    ),
)
