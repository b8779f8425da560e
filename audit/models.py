"""The audit trail: what happened, who did it, from where. Rows are appended and chained, never changed.

An event is stored without a number, so that two people who do something at once never wait for each other. Sealing numbers it
and chains it to the one before (`audit.chain`). `AuditChain` is one organization's chain; the platform's own has the nil id.
The database itself refuses anything else (`audit.guards`).
"""

from __future__ import annotations

from typing import Any, ClassVar, NoReturn
from uuid import UUID

from django.db import models
from django.utils import timezone

from auterity.kernel.models import Identified, JsonText
from auterity.kernel.tenancy import TenantManager, TenantOwned

PLATFORM = UUID(int=0)  # the chain of what belongs to no organization
NO_HASH = "0" * 64  # what the first event of a chain follows


class AppendOnly(TypeError):
    """Something of ours tried to change the audit trail. A defect of the caller, never of a client."""


class Outcome(models.TextChoices):
    SUCCESS = "success"
    FAILURE = "failure"
    DENIED = "denied"


class Severity(models.TextChoices):
    INFO = "info"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class Kind(models.TextChoices):
    """Who acted."""

    USER = "user"
    API_KEY = "api_key"
    OPERATOR = "operator"
    SYSTEM = "system"
    OUTSIDE = "outside"  # a request of nobody known


class AppendOnlyQuerySet(models.QuerySet["AuditEvent"]):
    """Reads and inserts."""

    def _refuse(self, *_args: Any, **_kwargs: Any) -> NoReturn:
        raise AppendOnly("Audit events are never changed or deleted; `manage.py audit prune` ends their time.")

    update = delete = bulk_update = update_or_create = _raw_delete = _update = _refuse


class EventManager(TenantManager["AuditEvent"].from_queryset(AppendOnlyQuerySet)):  # type: ignore[misc]
    """The tenant's door."""


class AuditEvent(TenantOwned, Identified):
    """One thing that happened. `details` have had their secrets masked; no column names anybody but by id."""

    organization = models.ForeignKey(  # type: ignore[assignment]  # Some events are nobody's.
        "accounts.Organization", on_delete=models.PROTECT, related_name="+", null=True, blank=True
    )
    chain = models.UUIDField(help_text="The organization's id; nil for the platform's own.")
    sequence = models.BigIntegerField(null=True, help_text="From 1, without gaps; empty until sealed.")
    previous_hash = models.CharField(max_length=64, default="")
    hash = models.CharField(max_length=64, default="", help_text="SHA-256 over the event and the hash before it.")
    event_type = models.CharField(max_length=80)
    action = models.CharField(max_length=80)
    outcome = models.CharField(max_length=8, choices=Outcome.choices, default=Outcome.SUCCESS)
    severity = models.CharField(max_length=8, choices=Severity.choices, default=Severity.INFO)
    kind = models.CharField(max_length=8, choices=Kind.choices, default=Kind.SYSTEM)
    user_id = models.UUIDField(null=True, help_text="Who acted. No reference: the trail outlives accounts.")
    session_id = models.UUIDField(null=True)
    resource_type = models.CharField(max_length=80, default="")
    resource_id = models.CharField(max_length=200, default="")
    address = models.CharField(max_length=64, default="")
    user_agent = models.CharField(max_length=400, default="")
    request_id = models.CharField(max_length=64, default="")
    path = models.CharField(max_length=200, default="")
    occurred_at = models.DateTimeField(default=timezone.now)
    details = JsonText(default=dict)

    unscoped: ClassVar[models.Manager[Any]] = models.Manager.from_queryset(AppendOnlyQuerySet)()
    objects: ClassVar[TenantManager[Any]] = EventManager()

    class Meta:
        db_table = "audit_events"
        default_manager_name = "unscoped"
        base_manager_name = "unscoped"
        constraints = [models.UniqueConstraint(fields=["chain", "sequence"], name="audit_events_chain")]
        indexes = [
            models.Index(fields=["organization", "id"], name="audit_events_organization"),
            models.Index(fields=["event_type", "id"], name="audit_events_type"),
            models.Index(fields=["user_id", "id"], name="audit_events_user"),
            models.Index(fields=["chain", "id"], condition=models.Q(sequence=None), name="audit_events_unsealed"),
        ]

    def __str__(self) -> str:
        return f"{self.event_type} {self.outcome} at {self.occurred_at:%Y-%m-%d %H:%M:%S}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise AppendOnly("An audit event is never changed.")
        super().save(*args, **{**kwargs, "force_insert": True})

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise AppendOnly("An audit event is never deleted; `manage.py audit prune` ends its time.")


class AuditChain(models.Model):
    """The head of one chain, and where it begins since older events were forgotten. Its numbers only rise."""

    id = models.UUIDField(primary_key=True, editable=False)
    last_sequence = models.BigIntegerField(default=0)
    last_hash = models.CharField(max_length=64, default=NO_HASH)
    pruned_sequence = models.BigIntegerField(default=0, help_text="The last one whose time is over.")
    pruned_hash = models.CharField(max_length=64, default=NO_HASH)
    anchored_sequence = models.BigIntegerField(default=0, help_text="The last one whose hash is in the log.")

    class Meta:
        db_table = "audit_chains"

    def __str__(self) -> str:
        return f"{self.id} to {self.last_sequence}"
