"""The rate limits of the `workflow_engine` dialect (cross.yaml, rate_limits; 003, "Rate Limiting")."""

from __future__ import annotations

from api.throttling import Limits, Rule, Scope

# Whoever guesses a password or a code has one budget for all the doors where one can be tried.
LOGIN = "/api/v1/auth/jwt/login"
LOGINS_TOO = (
    "/api/v1/auth/jwt/login-debug",
    "/api/v1/enhanced-auth/advanced/login",
    "/api/v1/webauthn/authenticate/*",
    "/api/v1/2fa/verify",
    "/native/auth/login",
    "/native/auth/register",
    "/native/auth/device/authenticate",
    "/native/api/authenticate",
)
REFRESH = "/api/v1/auth/refresh"  # 004's limit
REFRESHES_TOO = ("/native/auth/refresh",)
UPLOAD = "/api/v1/profile/avatar"
UPLOADS_TOO = ("/api/v1/drive/upload", "/api/v1/settings/import", "/native/api/upload")
EVERYTHING_TOO = ("/native/*", "/public/*", "/api/enterprise-security/*")

LIMITS = Limits(
    name="workflow_engine",
    rules=(
        Rule(LOGIN, 5, 5, Scope.ADDRESS, also=LOGINS_TOO, guards=True),
        Rule(LOGIN, 5, 5, Scope.ACCOUNT, also=LOGINS_TOO, guards=True),
        Rule(REFRESH, 5, 5, Scope.ADDRESS, also=REFRESHES_TOO, guards=True),
        Rule("/api/v1/auth/forgot-password", 5, 5, Scope.ADDRESS, guards=True),
        Rule("/api/v1/auth/forgot-password", 3, 3, Scope.ACCOUNT, window=3600, guards=True),
        Rule("/api/v1/auth/reset-password", 5, 5, Scope.ADDRESS, guards=True),
        Rule(UPLOAD, 10, 10, Scope.USER, also=UPLOADS_TOO),
        Rule("/api/v1/*", 100, 100, Scope.USER, also=EVERYTHING_TOO),
    ),
    accounts=("username", "email"),
)
