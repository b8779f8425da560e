"""Reading a person's own preferences. Nobody reads another's."""

from __future__ import annotations

from django.db.models import QuerySet

from auterity.kernel.access import Actor
from preferences.models import PreferenceSheet


def own_sheets(actor: Actor) -> QuerySet[PreferenceSheet]:
    """The actor's one sheet in this organization, or none while nothing was ever chosen."""
    rows: QuerySet[PreferenceSheet] = PreferenceSheet.objects.of(actor).filter(user_id=actor.user_id)
    return rows


def sheet(actor: Actor) -> PreferenceSheet:
    """The actor's sheet, not stored while nothing was ever chosen."""
    return own_sheets(actor).first() or PreferenceSheet(organization_id=actor.organization_id, user_id=actor.user_id)
