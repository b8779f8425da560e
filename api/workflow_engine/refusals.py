"""How the dialects of `/api/v1` say a refusal: one body that clients of 003 and of 004 both read (contract, decision 3)."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from api.dialect import Worded, Wording
from auterity.kernel.errors import DomainError, InvalidInput


def say(request: HttpRequest, error: DomainError, wording: Wording) -> Worded:
    reason = {"code": wording.code, "message": error.message, "details": details_of(error)}
    return Worded(wording.status, {"success": False, "error": reason, "detail": error.message})


def details_of(error: DomainError) -> dict[str, Any]:
    """003's `{field, issue}`; with several problems the first one is spelled out and all of them are listed."""
    if not isinstance(error, InvalidInput) or not error.problems:
        return dict(error.details)
    first = error.problems[0]
    return dict(error.details) | {
        "field": first.field,
        "issue": first.message,
        "problems": [{"field": each.field, "issue": each.message} for each in error.problems],
    }
