"""Reading what was asked for. A link, and not a login, proves somebody to one export."""

from __future__ import annotations

from uuid import UUID

from django.utils import timezone

from accounts import rights
from accounts.models import Membership
from artefacts import selectors as artefacts
from artefacts.errors import FileNotFound
from artefacts.models import Artefact
from auterity.kernel.access import Actor, Permission, require
from privacy import services
from privacy.errors import ErasureNotFound, ExportNotFound
from privacy.models import DataExport, Erasure, ExportStatus, Subject


def newest_export(*, actor: Actor, subject: Subject) -> DataExport:
    """The last one that was asked for: the actor's own, or any admin's of the organization. Raises `ExportNotFound`."""
    rows = DataExport.objects.of(actor).filter(subject=subject)
    if subject == Subject.ORGANIZATION:
        require(actor, Permission.ORGANIZATION_MANAGE)
    else:
        rows = rows.filter(user_id=actor.user_id)
    found: DataExport | None = rows.order_by("-id").first()
    if found is None:
        raise ExportNotFound
    return found


def is_ready(export: DataExport) -> bool:
    """Whether its file can be fetched."""
    return (
        export.status == ExportStatus.COMPLETED and export.expires_at is not None and export.expires_at > timezone.now()
    )


def file_of(*, export_id: UUID, signature: str) -> Artefact:
    """The file of an export, for whoever brings its link and may still have it. Raises `ExportNotFound`, whatever is wrong."""
    user_id = services.read_link(export_id=export_id, signature=signature)
    export = DataExport.unscoped.filter(pk=export_id).first() if user_id is not None else None
    if export is None or user_id is None or not is_ready(export) or not _may(export, user_id):
        raise ExportNotFound
    try:
        return artefacts.of_organization(export.organization_id, str(export.file_id))
    except FileNotFound:
        raise ExportNotFound from None


def erasure_of(*, actor: Actor) -> Erasure:
    """What is about to be erased of the actor's organization. Raises `ErasureNotFound`."""
    require(actor, Permission.ORGANIZATION_MANAGE)
    rows = Erasure.objects.filter(subject=Subject.ORGANIZATION, subject_id=actor.organization_id)
    found = rows.filter(finished_at=None, cancelled_at=None).first()
    if found is None:
        raise ErasureNotFound
    return found


def _may(export: DataExport, user_id: UUID) -> bool:
    """As of now: rights may have gone since the link was made."""
    members = Membership.objects.select_related("custom_role")
    member = members.filter(
        organization_id=export.organization_id, user_id=user_id, is_active=True, user__is_active=True
    ).first()
    if member is None:
        return False
    if export.subject == Subject.PERSON:
        return export.user_id == user_id
    return Permission.ORGANIZATION_MANAGE in rights.held_by(member)
