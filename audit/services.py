"""What is done with the trail: read by somebody who may, exported, checked, anchored in the log, forgotten by policy."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator
from uuid import UUID

import structlog
from django.conf import settings
from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone

from audit import chain, export, selectors
from audit.chain import Anchor, Checked
from audit.models import PLATFORM, AuditChain, AuditEvent
from audit.selectors import Wanted
from audit.trail import record
from auterity.kernel import sql
from auterity.kernel.access import Actor, Permission, require
from auterity.kernel.models import first_id_of

log = structlog.get_logger("audit.anchors")

# Where audit settings of an organization are kept is a higher app's; it says here how they are read.
KeepDays = Callable[[UUID], int | None]
_keep_days: list[KeepDays] = []
# Who may take data out of the organization is a higher app's to say too, beside the permission; it raises.
AskBeforeExport = Callable[[Actor], None]
_before_export: list[AskBeforeExport] = []


def keep_by(look: KeepDays) -> None:
    """Register who knows for how many days an organization keeps its trail; None where it has no opinion."""
    if look not in _keep_days:
        _keep_days.append(look)


def before_export(ask: AskBeforeExport) -> None:
    """Register what refuses an export to somebody who may read the trail."""
    if ask not in _before_export:
        _before_export.append(ask)


def days_kept(organization_id: UUID) -> int:
    """For how many days events are kept: what the organization's policy says, else `settings.AUDIT`."""
    said = [days for look in _keep_days if organization_id != PLATFORM and (days := look(organization_id)) is not None]
    return max(int(settings.AUDIT["least_days"]), said[0] if said else int(settings.AUDIT["keep_days"]))


def exported(*, actor: Actor, wanted: Wanted, form: str) -> Iterator[bytes]:
    """The organization's events as a file, oldest first. Needs audit:read; the export itself is recorded, and not in the file.

    Raises `PermissionDenied`, and what those say who registered by `before_export`.
    """
    require(actor, Permission.AUDIT_READ)
    for ask in _before_export:
        ask(actor)
    until = timezone.now()
    about = {name: str(given) for name in wanted.__slots__ if (given := getattr(wanted, name)) not in ("", None)}
    record(
        "audit.exported",
        "export",
        organization_id=actor.organization_id,
        actor=actor,
        severity="medium",
        resource_type="audit_trail",
        details={"format": form, "filters": about},
    )
    rows = selectors.events_of(actor.organization_id, wanted).filter(id__lt=first_id_of(until))
    return export.pieces(selectors.walk(rows), form)


def check(*, actor: Actor) -> Checked:
    """Whether the organization's trail is as it was recorded. Needs audit:read."""
    require(actor, Permission.AUDIT_READ)
    return chain.verify(actor.organization_id)


def anchor_all() -> int:
    """Put the newest hash of every chain that moved into the log, where whoever writes to the database cannot change it.

    Returns how many were written. `manage.py audit verify --anchors FILE` compares a log with the trail.
    """
    count = 0
    for head in selectors.heads().filter(last_sequence__gt=F("anchored_sequence")):
        rows = AuditChain.objects.filter(pk=head.pk, anchored_sequence__lt=head.last_sequence)
        if rows.update(anchored_sequence=head.last_sequence):
            log.info("audit_anchor", chain=str(head.pk), sequence=head.last_sequence, hash=head.last_hash)
            count += 1
    return count


def anchors_in(lines: Iterable[str]) -> Iterator[Anchor]:
    """The anchors that a log holds."""
    for line in lines:
        if "audit_anchor" not in line:
            continue
        said = dict(part.split("=", 1) for part in line.split() if "=" in part)
        try:
            yield Anchor(UUID(said["chain"]), int(said["sequence"]), said["hash"])
        except (KeyError, ValueError):
            continue  # Somebody else's line that mentions one.


def prune_all(*, now: dt.datetime | None = None) -> int:
    """Forget, in every chain, events whose time is over. Returns how many."""
    return sum(prune(each, now=now) for each in list(chain.chains()))


def prune(organization_id: UUID, *, now: dt.datetime | None = None, before: dt.datetime | None = None) -> int:
    """Forget the beginning of a chain, as far as it is older than its policy keeps it (or than `before`, when it is forgotten).

    What is left still proves itself: the chain begins with the hash of the last event that went, and an event tells of it.
    Returns how many.
    """
    moment = before or (now or timezone.now()) - dt.timedelta(days=days_kept(organization_id))
    with transaction.atomic():
        head = chain.locked(organization_id)
        rows = AuditEvent.unscoped.filter(chain=organization_id, sequence__gt=head.pruned_sequence)
        kept = rows.filter(id__gte=first_id_of(moment)).order_by("sequence").values_list("sequence", flat=True).first()
        ended = rows.filter(sequence__lt=kept) if kept is not None else rows
        last = ended.order_by("-sequence").first()
        if last is None:
            return 0
        AuditChain.objects.filter(pk=head.pk).update(pruned_sequence=last.sequence, pruned_hash=last.hash)
        count = int(last.sequence or 0) - head.pruned_sequence
        record(
            chain.PRUNED,
            "prune",
            organization_id=None if organization_id == PLATFORM else organization_id,
            resource_type="audit_trail",
            details={"through": last.sequence, "hash": last.hash, "count": count, "before": chain.moment(moment)},
        )
        with connection.cursor() as cursor:
            cursor.execute(
                "DELETE FROM audit_events WHERE chain = %s AND sequence <= %s",
                [sql.value(organization_id), last.sequence],
            )
    return count
