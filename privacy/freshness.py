"""Whether somebody logged in just now: asked before what cannot be taken back."""

from __future__ import annotations

import datetime as dt

from django.utils import timezone

from accounts.models import Session
from auterity.kernel.access import Actor
from privacy.errors import FreshLoginRequired

FRESH = dt.timedelta(minutes=10)


def require_fresh(actor: Actor, *, now: dt.datetime | None = None) -> None:
    """Raises `FreshLoginRequired` unless the actor's login was opened within the last ten minutes."""
    since = (now or timezone.now()) - FRESH
    if actor.session_id is None or not Session.objects.filter(pk=actor.session_id, created_at__gte=since).exists():
        raise FreshLoginRequired
