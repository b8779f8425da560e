"""Deleting what an organization no longer keeps: ended executions with all that belongs to them, and what came in and went out.

In small batches, each a short transaction that leaves locked rows alone and blocks nobody. A crash leaves an execution with fewer
of its rows; the next sweep goes on. Figures that were added up as runs ended stay (decision 9).

What an app above this one wants forgotten it registers at start-up (`also_forget`).
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import structlog
from django.core.cache import cache
from django.db import connection, models, transaction
from django.db.models import QuerySet
from django.utils import timezone

from accounts import attempts, guesses, letters, mfa_tokens
from accounts.models import Organization
from accounts.quotas import give_back_expired
from accounts.services import forget_ended
from accounts.usage import add_up
from artefacts import selectors as artefacts
from artefacts import services as artefact_services
from artefacts.models import Artefact, Purpose
from audit.trail import record
from auterity.kernel.models import first_id_of
from devices import challenges, installations
from executions.models import TERMINAL, Execution, ReceivedEvent, ScheduleFire, WebhookReceipt
from identity.services import forget_unfinished
from integrations.models import DeliveryStatus, DmsSync, OutgoingMessage, WebhookDelivery

log = structlog.get_logger(__name__)

BATCH = 500  # rows a statement deletes
EXECUTIONS = 50  # executions a transaction deletes, once what belongs to them is gone
LIMIT = 5_000  # rows a tick deletes
EVERY_SECONDS = 900.0
SESSION_DAYS = 30  # after a login could last be renewed
ATTEMPT_DAYS = 90  # a login that was tried, by which later ones are judged
MAIL_DAYS = 30  # mails of ours to people, sent or given up

Doomed = Callable[[UUID, dt.datetime], QuerySet[Any]]
_also: dict[str, Doomed] = {}


@dataclass(slots=True)
class Swept:
    """How many rows of each kind a sweep deleted. `more`: it stopped at its limit, and there is more to delete."""

    counts: dict[str, int] = field(default_factory=dict)
    limit: int = LIMIT

    @property
    def left(self) -> int:
        return max(0, self.limit - sum(self.counts.values()))

    @property
    def more(self) -> bool:
        return self.left == 0

    def add(self, what: str, count: int) -> int:
        if count:
            self.counts[what] = self.counts.get(what, 0) + count
        return count


def also_forget(what: str, doomed: Doomed) -> None:
    """Register rows to delete: what `doomed` answers for an organization and this moment. Raises `ValueError` on a second."""
    if _also.get(what, doomed) is not doomed:
        raise ValueError(f"Two apps want to forget {what}.")
    _also[what] = doomed


def sweep(*, limit: int = LIMIT, now: dt.datetime | None = None) -> Swept:
    """Delete at most `limit` rows of what any organization no longer keeps; the oldest first."""
    moment = now or timezone.now()
    swept = Swept(limit=limit)
    for organization_id in list(Organization.objects.order_by("pk").values_list("pk", flat=True)):
        if swept.more:
            break
        _sweep_organization(organization_id, moment, swept)
    swept.add("files", artefact_services.forget_expired(limit=min(swept.left, BATCH)))
    swept.add("orphaned files", artefact_services.forget_orphans(limit=min(swept.left, BATCH), now=moment))
    ended = moment - dt.timedelta(days=SESSION_DAYS)
    swept.add("logins", forget_ended(before=ended, limit=min(swept.left, BATCH)))
    swept.add(
        "tried logins", attempts.forget(before=moment - dt.timedelta(days=ATTEMPT_DAYS), limit=min(swept.left, BATCH))
    )
    guesses.forget(before=moment - dt.timedelta(days=1))
    mfa_tokens.forget(before=moment)
    begun = moment - dt.timedelta(days=1)
    swept.add("unfinished sign-ins", forget_unfinished(before=begun, limit=min(swept.left, BATCH)))
    swept.add("device challenges", challenges.forget(before=begun, limit=min(swept.left, BATCH)))
    swept.add("unused installations", installations.forget_unused(now=moment, limit=min(swept.left, BATCH)))
    mails = moment - dt.timedelta(days=MAIL_DAYS)
    swept.add("mails", letters.forget(before=mails, limit=min(swept.left, BATCH)))
    give_back_expired(limit=BATCH, now=moment)
    if swept.counts:
        log.info("swept", **{what.replace(" ", "_"): count for what, count in swept.counts.items()})
    return swept


def tick() -> bool:
    """What a worker's thread calls again and again: one sweep a quarter of an hour among all processes.

    Returns whether there is more to do; then the next call goes on at once, in whichever process.

    The cache says whose turn it is; where it does not answer, two may sweep at once, and each leaves the other's rows alone.
    """
    if not _my_turn():
        return False
    more = sweep().more
    if more:
        cache.delete("retention:turn")
    return more


def _my_turn() -> bool:
    try:
        return bool(cache.add("retention:turn", time.time(), timeout=EVERY_SECONDS))
    except Exception as error:  # Redis is a hint here too.
        log.warning("retention_turn_unknown", error=type(error).__name__)
        return True


def _sweep_organization(organization_id: UUID, now: dt.datetime, swept: Swept) -> None:
    before_all = dict(swept.counts)
    _sweep_what_is_over(organization_id, now, swept)
    gone = {what: count - before_all.get(what, 0) for what, count in swept.counts.items()}
    if told := {what: count for what, count in gone.items() if count}:
        record("retention.swept", "sweep", organization_id=organization_id, details={"deleted": told})


def _sweep_what_is_over(organization_id: UUID, now: dt.datetime, swept: Swept) -> None:
    add_up(organization_id, now=now)  # Before anything that it counts is gone.
    rules = artefacts.retention_of(organization_id)
    _forget_executions(organization_id, now - dt.timedelta(days=rules.execution_days), swept)
    before = now - dt.timedelta(days=rules.receipt_days)
    came: list[tuple[str, QuerySet[Any]]] = [
        ("schedule fires", ScheduleFire.objects.of(organization_id).filter(pk__lt=first_id_of(before))),
        ("webhook receipts", WebhookReceipt.objects.of(organization_id).filter(pk__lt=first_id_of(before))),
        ("received events", ReceivedEvent.objects.of(organization_id).filter(pk__lt=first_id_of(before))),
        (
            "webhook deliveries",
            WebhookDelivery.objects.of(organization_id).filter(
                pk__lt=first_id_of(before), status=DeliveryStatus.DELIVERED, updated_at__lt=before
            ),
        ),
        (
            "sent messages",
            OutgoingMessage.objects.of(organization_id).filter(pk__lt=first_id_of(before), settled_at__lt=before),
        ),
        (
            "DMS syncs",
            DmsSync.objects.of(organization_id).filter(pk__lt=first_id_of(before), completed_at__lt=before),
        ),
    ]
    came += [(what, doomed(organization_id, now)) for what, doomed in _also.items()]
    for what, rows in came:
        while swept.left and swept.add(what, _delete_some(rows, min(swept.left, BATCH))) == BATCH:
            pass
    if rules.upload_days is not None:
        old = first_id_of(now - dt.timedelta(days=rules.upload_days))
        uploads = Artefact.objects.of(organization_id).filter(purpose=Purpose.UPLOAD, pk__lt=old)
        _forget_files(uploads, organization_id, swept)


def _forget_executions(organization_id: UUID, before: dt.datetime, swept: Swept) -> None:
    """An id tells when an execution was accepted; it ended later, so older ids hold all that ended before."""
    old = Execution.objects.of(organization_id).filter(
        pk__lt=first_id_of(before), status__in=TERMINAL, completed_at__lt=before
    )
    while swept.left:
        chosen = list(old.order_by("pk").values_list("pk", flat=True)[: min(swept.left, EXECUTIONS)])
        if not chosen:
            return
        files = Artefact.objects.of(organization_id).filter(execution_id__in=chosen)
        if not (_forget_files(files, organization_id, swept) and _forget_belongings(chosen, swept)):
            return
        if not swept.add("executions", _delete_some(old.filter(pk__in=chosen), swept.left)):
            return  # The limit came first, or somebody holds them; the next sweep goes on.


def _forget_belongings(chosen: list[UUID], swept: Swept) -> bool:
    """Delete the rows that go with these executions, whichever tables have some. False where the limit came first."""
    for relation in Execution._meta.get_fields(include_hidden=True):
        if not isinstance(relation, models.ManyToOneRel) or relation.on_delete is not models.CASCADE:
            continue
        model: Any = relation.related_model
        rows = model._base_manager.filter(**{f"{relation.field.name}__in": chosen})
        while swept.left:
            if swept.add(str(model._meta.verbose_name_plural), _delete_some(rows, min(swept.left, BATCH))) < BATCH:
                break
        if not swept.left and rows.exists():
            return False
    return True


def _forget_files(rows: QuerySet[Artefact], organization_id: UUID, swept: Swept) -> bool:
    """False where the limit came first."""
    while swept.left:
        if not swept.add(
            "files", artefact_services.forget(rows, organization_id=organization_id, limit=min(swept.left, 100))
        ):
            return True
    return not rows.exists()


def _delete_some(rows: QuerySet[Any], most: int) -> int:
    """Delete at most so many, in one short transaction, without waiting for rows that somebody else holds."""
    if not rows.exists():  # Most looks find nothing; only a writer takes SQLite's one lock.
        return 0
    with transaction.atomic():
        if connection.features.has_select_for_update_skip_locked:
            rows = rows.select_for_update(skip_locked=True, of=("self",))
        chosen = list(rows.order_by("pk").values_list("pk", flat=True)[:most])
        if chosen:
            rows.model._base_manager.filter(pk__in=chosen).delete()
    return len(chosen)
