"""The rate limits of the `orchestrator` dialect (cross.yaml, rate_limits; 002, "Rate Limiting"): by the hour and organization."""

from __future__ import annotations

from api.throttling import Limits, Rule, Scope

HOUR = 3600
LOGIN = "/v1/auth/login"

LIMITS = Limits(
    name="orchestrator",
    rules=(
        Rule(LOGIN, 10, 5, Scope.ADDRESS, guards=True),
        Rule(LOGIN, 10, 5, Scope.ACCOUNT, guards=True),
        Rule("/v1/auth/*", 60, 20, Scope.ADDRESS, unless=(LOGIN,), guards=True),
        Rule("/v1/*", 1000, 100, Scope.ORGANIZATION, window=HOUR),
    ),
)
