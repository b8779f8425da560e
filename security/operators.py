"""What operators do on their site, put into the audit trail: of the organization whose row it is, else of the platform."""

from __future__ import annotations

import datetime as dt
from typing import Any
from uuid import UUID

from django.contrib.admin.models import ADDITION, CHANGE, DELETION, LogEntry
from django.core.exceptions import FieldDoesNotExist

from accounts.models import Membership, Organization
from audit.models import Kind
from audit.trail import record

_DONE = {ADDITION: "add", CHANGE: "change", DELETION: "delete"}


def note_login(*, user_id: UUID | None) -> None:
    """Somebody came to the operators' door: let in (who), or not (None)."""
    if user_id is None:
        record("operator.login.failed", "login", organization_id=None, outcome="failure", severity="medium")
    else:
        record("operator.login.opened", "login", organization_id=None, user_id=user_id, kind=Kind.OPERATOR)


def note_act(*, user_id: UUID, path: str, action: str, chosen: int, since: dt.datetime, refused: bool) -> int:
    """An operator sent a form. Each row that Django logged for it is an event; without one the form itself is.

    Returns how many events that made.
    """
    entries = list(
        LogEntry.objects.filter(user_id=user_id, action_time__gte=since)
        .select_related("content_type")
        .order_by("pk")[:500]
    )
    for each in entries:
        model = each.content_type.model_class() if each.content_type is not None else None
        record(
            "operator.changed",
            _DONE.get(each.action_flag, "change"),
            organization_id=_organization_of(model, each.object_id),
            user_id=user_id,
            kind=Kind.OPERATOR,
            severity="medium",
            resource_type=model._meta.label_lower if model is not None else "",
            resource_id=each.object_id or "",
            details={"said": each.get_change_message()[:500]},
        )
    if action or refused or not entries:
        record(
            "operator.acted",
            action or "submit",
            organization_id=None,
            user_id=user_id,
            kind=Kind.OPERATOR,
            outcome="denied" if refused else "success",
            severity="medium",
            details={"path": path, "rows": chosen},
        )
    return len(entries)


def _organization_of(model: Any, object_id: str | None) -> UUID | None:
    """Whose row it is; None for the platform's own, and for one that is gone."""
    if model is None or not object_id:
        return None
    try:
        if model is Organization:
            return UUID(object_id) if Organization.objects.filter(pk=object_id).exists() else None
        if model is Membership or model._meta.get_field("organization"):
            found: UUID | None = (
                model._base_manager.filter(pk=object_id).values_list("organization_id", flat=True).first()
            )
            return found
    except (FieldDoesNotExist, ValueError):
        return None
    return None
