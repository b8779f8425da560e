"""Stored files: what is known of each, where its bytes are, how much room an organization takes, and how long things are kept."""

from __future__ import annotations

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from auterity.kernel.models import Identified
from auterity.kernel.tenancy import TenantOwned

LONGEST_DAYS = 3650


class Purpose(models.TextChoices):
    """Who made a file. A payload is a step's output too large for its row; nobody sees it as a file."""

    UPLOAD = "upload"
    STEP = "step"
    PAYLOAD = "payload"


class Artefact(TenantOwned, Identified):
    """One stored file. Its bytes never change under a storage key; a repeated step puts new bytes under its old id.

    `key` makes a step's file unique: whoever stores under it again replaces it. Uploads have none.
    """

    name = models.CharField(max_length=200)
    media_type = models.CharField(max_length=100)
    size = models.BigIntegerField(help_text="Bytes.")
    sha256 = models.CharField(max_length=64)
    storage_key = models.CharField(max_length=100, unique=True)
    purpose = models.CharField(max_length=10, choices=Purpose.choices, default=Purpose.UPLOAD)
    key = models.CharField(max_length=255, blank=True, default="")
    execution_id = models.UUIDField(null=True, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True, blank=True
    )
    expires_at = models.DateTimeField(null=True, blank=True, help_text="Deleted after this moment; empty: kept.")

    class Meta:
        db_table = "artefacts"
        default_manager_name = "unscoped"
        verbose_name = "file"
        constraints = [
            models.UniqueConstraint(fields=["organization", "key"], condition=~Q(key=""), name="artefacts_once_a_key")
        ]
        indexes = [
            models.Index(fields=["organization", "-id"], name="artefacts_by_organization"),
            models.Index(
                fields=["execution_id"], condition=Q(execution_id__isnull=False), name="artefacts_by_execution"
            ),
            models.Index(fields=["expires_at"], condition=Q(expires_at__isnull=False), name="artefacts_expiring"),
        ]

    def __str__(self) -> str:
        return self.name


class ArtefactChunk(models.Model):
    """A piece of a file's bytes, where files are kept in the database (decision 13)."""

    id = models.BigAutoField(primary_key=True)
    storage_key = models.CharField(max_length=100)
    number = models.PositiveIntegerField()
    data = models.BinaryField()
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        db_table = "artefact_chunks"
        constraints = [models.UniqueConstraint(fields=["storage_key", "number"], name="artefact_chunks_once")]
        indexes = [models.Index(fields=["created_at"], condition=Q(number=0), name="artefact_chunks_begun")]

    def __str__(self) -> str:
        return f"{self.storage_key} #{self.number}"


class StorageUse(TenantOwned):
    """What an organization's files add up to, changed in the transaction that adds or deletes one."""

    organization = models.OneToOneField(
        "accounts.Organization", on_delete=models.CASCADE, primary_key=True, related_name="+"
    )
    bytes = models.BigIntegerField(default=0)
    files = models.BigIntegerField(default=0)

    class Meta:
        db_table = "storage_use"
        default_manager_name = "unscoped"
        verbose_name_plural = "storage use"

    def __str__(self) -> str:
        return f"{self.bytes:,} bytes in {self.files:,} files"


_BOUNDS = [MinValueValidator(1), MaxValueValidator(LONGEST_DAYS)]


class RetentionRules(TenantOwned):
    """How many days an organization's records are kept. One without a row has the defaults."""

    organization = models.OneToOneField(
        "accounts.Organization", on_delete=models.CASCADE, primary_key=True, related_name="+"
    )
    execution_days = models.PositiveSmallIntegerField(
        default=90, validators=_BOUNDS, help_text="Ended executions with their steps, logs and files, from their end."
    )
    receipt_days = models.PositiveSmallIntegerField(
        default=30,
        validators=_BOUNDS,
        help_text="What schedules fired, what webhooks received, and messages that were delivered.",
    )
    upload_days = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        validators=_BOUNDS,
        help_text="Uploaded files. Empty: kept until somebody deletes them.",
    )
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        db_table = "retention_rules"
        default_manager_name = "unscoped"
        verbose_name_plural = "retention rules"

    def __str__(self) -> str:
        return f"executions {self.execution_days} days, receipts {self.receipt_days} days"
