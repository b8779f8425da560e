"""Every door at which a password or a code of somebody's can be tried: what G23 guesses at and G29 times."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.load.estate import PASSWORD

Door = Callable[[Any, str, str], Any]  # a caller, an address, and what is tried; the answer
# The login of each dialect with its names of the account and, where one request takes both, of the code.
LOGINS = {
    "auterity": ("/api/auth/login", "email", ""),
    "business": ("/api/v1/auth/login", "username", "otp"),
    "orchestrator": ("/v1/auth/login", "email", "otp_code"),
    "workflow engine": ("/api/v1/auth/jwt/login", "username", "totp_code"),
    "workflow engine, advanced": ("/api/v1/enhanced-auth/advanced/login", "username", "totp_code"),
}
FORGOTTEN = {"auterity": "/api/auth/forgot-password", "workflow engine": "/api/v1/auth/forgot-password"}
OPERATORS = "/admin/login/"
METHODS = ("totp", "backup_code")


def password_doors() -> dict[str, Door]:
    found = {name: _login(path, account) for name, (path, account, _) in LOGINS.items()}
    return {**found, "operators": _operators}


def code_doors(wrong: dict[str, str]) -> dict[str, Door]:
    """With the right password. `wrong` has a code of each method that is none; what is tried is not looked at."""
    found = {
        f"{name}, in one": _login(path, account, field) for name, (path, account, field) in LOGINS.items() if field
    }
    found |= {f"auterity, {each}": _mfa("/api/auth/mfa", each, wrong[each]) for each in METHODS}
    found |= {f"workflow engine, {each}": _mfa("/api/v1/enhanced/multi-factor", each, wrong[each]) for each in METHODS}
    return {**found, "operators": _operators_code}


def _login(path: str, account: str, field: str = "") -> Door:
    def knock(api: Any, email: str, tried: str) -> Any:
        body = {account: email, "password": PASSWORD if field else tried}
        return api.post(path, {**body, **({field: tried} if field else {})})

    return knock


def _mfa(path: str, method: str, wrong: str) -> Door:
    def knock(api: Any, email: str, _tried: str) -> Any:
        begun = api.post("/api/auth/login", {"email": email, "password": PASSWORD})
        if begun.status_code != 200:
            return begun
        return api.post(path, {"mfa_token": begun.json()["mfa_token"], "method": method, "code": wrong})

    return knock


def _operators(api: Any, email: str, tried: str) -> Any:
    return _page(api, {"username": email, "password": tried})


def _operators_code(api: Any, email: str, tried: str) -> Any:
    return _page(api, {"username": email, "password": PASSWORD, "code": tried})


def _page(api: Any, fields: dict[str, str]) -> Any:
    from urllib.parse import urlencode

    return api.post(
        OPERATORS, raw=urlencode({**fields, "next": "/admin/"}).encode(), media="application/x-www-form-urlencoded"
    )
