"""What there is of somebody's devices."""

from __future__ import annotations

from uuid import UUID

from django.db.models import Count, IntegerField, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone

from accounts.models import Session
from auterity.kernel.access import Actor
from devices.errors import DeviceNotFound
from devices.models import Device, Status


def listed(actor: Actor) -> QuerySet[Device]:
    """The actor's own, oldest first, revoked ones too; each with `open_sessions`, its logins that are open."""
    alive = Session.objects.filter(device_id=OuterRef("pk"), revoked_at=None, expires_at__gt=timezone.now())
    count = alive.order_by().values("device_id").annotate(count=Count("pk")).values("count")
    found = Coalesce(Subquery(count, output_field=IntegerField()), 0)
    return Device.objects.filter(user_id=actor.user_id).annotate(open_sessions=found).order_by("id")


def get(actor: Actor, device_id: UUID) -> Device:
    """Raises `DeviceNotFound`, also for somebody else's."""
    device = listed(actor).filter(pk=device_id).first()
    if device is None:
        raise DeviceNotFound
    return device


def at_hand(actor: Actor) -> UUID | None:
    """The device by whose key the actor's login was opened."""
    if actor.session_id is None:
        return None
    return Session.objects.filter(pk=actor.session_id).values_list("device_id", flat=True).first()


def is_active(user_id: UUID, device_id: UUID | None) -> bool:
    mine = Device.objects.filter(user_id=user_id, status=Status.ACTIVE)
    return device_id is not None and mine.filter(pk=device_id).exists()
