"""What people asked for: a copy of everything that is kept about them or their organization, or that it be erased."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from auterity.kernel.models import Identified, JsonText, Timestamped
from auterity.kernel.tenancy import TenantOwned


class Subject(models.TextChoices):
    """Whose data it is about."""

    PERSON = "person"
    ORGANIZATION = "organization"


class ExportStatus(models.TextChoices):
    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"


class DataExport(TenantOwned, Timestamped):
    """A copy being made, or made: a ZIP among the organization's payloads, gone after `expires_at`.

    `due_at` is when somebody should look next: a worker pushes it on while it works, so one that died is taken over.
    """

    subject = models.CharField(max_length=12, choices=Subject.choices)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    status = models.CharField(max_length=10, choices=ExportStatus.choices, default=ExportStatus.QUEUED)
    progress = models.PositiveSmallIntegerField(default=0, help_text="Percent of the tables and files.")
    rows = models.PositiveIntegerField(default=0)
    attempts = models.PositiveSmallIntegerField(default=0)
    due_at = models.DateTimeField(null=True, blank=True)
    file_id = models.UUIDField(null=True, blank=True)
    size = models.BigIntegerField(default=0, help_text="Bytes.")
    error = models.CharField(max_length=300, blank=True, default="")
    completed_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "data_exports"
        default_manager_name = "unscoped"
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "user", "subject"],
                condition=Q(status__in=["queued", "running"]),
                name="data_exports_one_at_a_time",
            )
        ]
        indexes = [models.Index(fields=["due_at"], condition=Q(due_at__isnull=False), name="data_exports_due")]

    def __str__(self) -> str:
        return f"{self.subject} {self.status}"


class Erasure(Identified):
    """Somebody's data is to go, or went. It belongs to nobody: whoever it names is gone, and it says no more than an id.

    `address` is what is looked for in other people's rows, and is emptied when that is done. `counts` are rows by table.
    """

    subject = models.CharField(max_length=12, choices=Subject.choices)
    subject_id = models.UUIDField()
    requested_by = models.UUIDField(null=True, blank=True)
    address = models.CharField(max_length=254, blank=True, default="", editable=False)
    attempts = models.PositiveSmallIntegerField(default=0)
    due_at = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    cancelled_at = models.DateTimeField(null=True, blank=True)
    counts = JsonText(default=dict)

    class Meta:
        db_table = "erasures"
        constraints = [
            models.UniqueConstraint(
                fields=["subject", "subject_id"],
                condition=Q(finished_at=None, cancelled_at=None),
                name="erasures_one_at_a_time",
            )
        ]
        indexes = [models.Index(fields=["due_at"], condition=Q(due_at__isnull=False), name="erasures_due")]

    def __str__(self) -> str:
        return f"{self.subject} {self.subject_id}"
