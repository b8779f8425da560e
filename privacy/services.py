"""Asking for a copy of everything, and for everything to be erased. What is asked for is done by `jobs`."""

from __future__ import annotations

import datetime as dt
from uuid import UUID

from django.conf import settings
from django.core import signing
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts import tiers
from accounts.errors import LastAdmin
from accounts.members import lock_organization
from accounts.models import Membership, User
from audit.trail import record
from auterity.kernel.access import Actor, Permission, Role, require, require_person
from privacy import erasing
from privacy.errors import ErasureNotFound, ExportUnderWay
from privacy.models import DataExport, Erasure, ExportStatus, Subject

_SALT = "privacy.export"


def ask_for_export(*, actor: Actor, subject: Subject) -> DataExport:
    """A copy of what is kept about the actor, or about the organization (needs organization:manage). Only people ask.

    Raises `ExportUnderWay` while an earlier one is being made, `PermissionDenied`, `FreshLoginRequired` and `TierTooLow`.
    """
    if subject == Subject.ORGANIZATION:
        require(actor, Permission.ORGANIZATION_MANAGE)
    require_person(actor)
    tiers.require_action(actor, "export_data")
    row = DataExport(
        organization_id=actor.organization_id, subject=subject, user_id=actor.user_id, due_at=timezone.now()
    )
    try:
        with transaction.atomic():
            row.save(force_insert=True)
            _tell("export_requested", actor, row.organization_id, subject, severity="medium")
    except IntegrityError as error:
        raise ExportUnderWay from error
    return row


def signed_link(*, actor: Actor, export: DataExport) -> str:
    """The path at which the finished export's file can be fetched for a while, by this person, without a token."""
    told = signing.dumps([str(export.id), str(actor.user_id)], salt=_SALT)
    return f"/api/exports/{export.id}/content?signature={told}"


def read_link(*, export_id: UUID, signature: str) -> UUID | None:
    """Whose link this is; None where it is not ours, is of another export, or is too old."""
    try:
        named, user_id = signing.loads(signature, salt=_SALT, max_age=settings.PRIVACY["link_lifetime"])
        return UUID(user_id) if named == str(export_id) else None
    except (signing.BadSignature, ValueError, TypeError):
        return None


def erase_own_account(*, actor: Actor, now: dt.datetime | None = None) -> Erasure:
    """Erase the actor's account. Raises as `erase_person`, `FreshLoginRequired` and `TierTooLow`."""
    require_person(actor)
    tiers.require_action(actor, "delete_account", now=now)
    return erase_person(user_id=actor.user_id, requested_by=actor.user_id, now=now)


@transaction.atomic
def erase_person(*, user_id: UUID, requested_by: UUID | None = None, now: dt.datetime | None = None) -> Erasure:
    """Erase an account: name, address and logins at once, the rest within minutes. Who asks is the caller's to check.

    An organization in which nobody else is goes with it. Raises `LastAdmin` where others would be left without an admin, and
    `ErasureNotFound` where there is no such account any more.
    """
    moment = now or timezone.now()
    user = User.objects.select_for_update().filter(pk=user_id).first()
    if user is None or user.email == erasing.placeholder(user_id):
        raise ErasureNotFound("There is no such account, or it was erased already.")
    for organization_id in sorted(_organizations_of(user_id)):
        lock_organization(organization_id)
        others = Membership.objects.filter(organization_id=organization_id, is_active=True, user__is_active=True)
        others = others.filter(user__is_service=False).exclude(user_id=user_id)
        if not others.exists():
            _store(Subject.ORGANIZATION, organization_id, requested_by, due_at=moment)
        elif not others.filter(role=Role.ADMIN.value).exists():
            raise LastAdmin
        record(
            "privacy.erasure_requested",
            "erase",
            organization_id=organization_id,
            user_id=requested_by,
            resource_type="user",
            resource_id=user_id,
            severity="high",
        )
    address = user.email
    erasing.forget_name(user)
    Membership.objects.filter(user_id=user_id).update(is_active=False)
    return _store(Subject.PERSON, user_id, requested_by, due_at=moment, address=address)


def erase_organization(*, actor: Actor, now: dt.datetime | None = None) -> Erasure:
    """Say that the actor's organization is to be erased when the time of grace is over. Saying it again changes nothing.

    Needs organization:manage. Until then everything goes on, and any admin may call it off. Raises `FreshLoginRequired` and
    `TierTooLow`: accounts that are nowhere else are erased with it.
    """
    require(actor, Permission.ORGANIZATION_MANAGE)
    require_person(actor)
    tiers.require_action(actor, "delete_account", now=now)
    with transaction.atomic():
        row = erase_organization_by_operator(
            organization_id=actor.organization_id, requested_by=actor.user_id, now=now, grace=settings.PRIVACY["grace"]
        )
        _tell("erasure_requested", actor, actor.organization_id, Subject.ORGANIZATION, severity="critical")
    return row


@transaction.atomic
def erase_organization_by_operator(
    *,
    organization_id: UUID,
    grace: dt.timedelta,
    requested_by: UUID | None = None,
    now: dt.datetime | None = None,
) -> Erasure:
    """The same for `manage.py erase` and the operators' site."""
    lock_organization(organization_id)
    return _store(Subject.ORGANIZATION, organization_id, requested_by, due_at=(now or timezone.now()) + grace)


def keep_organization(*, actor: Actor) -> Erasure:
    """Call the erasure off, unless it has begun. Raises `ErasureNotFound`."""
    require(actor, Permission.ORGANIZATION_MANAGE)
    require_person(actor)
    with transaction.atomic():
        row = call_off(subject_id=actor.organization_id)
        _tell("erasure_called_off", actor, actor.organization_id, Subject.ORGANIZATION, severity="high")
    return row


def call_off(*, subject_id: UUID) -> Erasure:
    """Call an organization's erasure off, unless it has begun. Raises `ErasureNotFound`."""
    waiting = Erasure.objects.filter(
        subject=Subject.ORGANIZATION, subject_id=subject_id, started_at=None, finished_at=None, cancelled_at=None
    )
    found = waiting.first()
    if found is None or not waiting.filter(pk=found.pk).update(cancelled_at=timezone.now(), due_at=None):
        raise ErasureNotFound
    found.refresh_from_db()
    return found


def expire_exports(*, now: dt.datetime | None = None) -> int:
    """Forget the rows of exports whose files are gone. Returns how many."""
    before = (now or timezone.now()) - settings.PRIVACY["export_kept"]
    old = DataExport.unscoped.exclude(status__in=[ExportStatus.QUEUED, ExportStatus.RUNNING])
    return int(old.filter(updated_at__lt=before).delete()[0])


# -- inside ----------------------------------------------------------------------------------------------------------


def _organizations_of(user_id: UUID) -> list[UUID]:
    rows = Membership.objects.filter(user_id=user_id, is_active=True, organization__is_active=True)
    return list(rows.values_list("organization_id", flat=True))


def _tell(what: str, actor: Actor, organization_id: UUID, subject: Subject, *, severity: str) -> None:
    record(
        f"privacy.{what}",
        what,
        organization_id=organization_id,
        actor=actor,
        resource_type=subject.value,
        severity=severity,
    )


def _store(
    subject: Subject, subject_id: UUID, requested_by: UUID | None, *, due_at: dt.datetime, address: str = ""
) -> Erasure:
    about = {"subject": subject, "subject_id": subject_id}
    open_now = Erasure.objects.filter(**about, finished_at=None, cancelled_at=None)
    row = open_now.first()
    if row is not None:
        if row.due_at is not None and due_at < row.due_at and row.started_at is None:
            open_now.update(due_at=due_at)
            row.refresh_from_db()
        return row
    return Erasure.objects.create(**about, requested_by=requested_by, due_at=due_at, address=address)
