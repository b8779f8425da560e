"""What native clients need beside the product's own records: releases of the apps, changes that came, files that were sent."""

from __future__ import annotations

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator, URLValidator
from django.db import models
from django.db.models import Q

from auterity.kernel.models import Identified, Timestamped
from auterity.kernel.tenancy import TenantOwned
from auterity.kernel.versions import LONGEST, check_version


class Platform(models.TextChoices):
    WINDOWS = "windows", "Windows"
    MACOS = "macos", "macOS"
    LINUX = "linux", "Linux"
    IOS = "ios", "iOS"
    ANDROID = "android", "Android"


class Channel(models.TextChoices):
    STABLE = "stable"
    BETA = "beta"


class Arch(models.TextChoices):
    X64 = "x64"
    ARM64 = "arm64"
    ANY = "any", "every processor"


class Release(Timestamped):
    """One published version of a client for one platform. It belongs to no tenant: operators keep it.

    `minimum_version` says below which version clients must update, from this release on; of several releases the highest counts.
    """

    platform = models.CharField(max_length=10, choices=Platform.choices)
    arch = models.CharField(max_length=5, choices=Arch.choices, default=Arch.ANY)
    channel = models.CharField(max_length=6, choices=Channel.choices, default=Channel.STABLE)
    version = models.CharField(
        max_length=LONGEST, validators=[check_version], help_text="Such as 1.4.2 or 1.5.0-beta.1."
    )
    minimum_version = models.CharField(
        max_length=LONGEST,
        blank=True,
        default="",
        validators=[check_version],
        help_text="Clients below this version must update. Empty: this release says nothing about it.",
    )
    rollout_percent = models.PositiveSmallIntegerField(
        default=100,
        validators=[MinValueValidator(0), MaxValueValidator(100)],
        help_text="How many of a hundred installations are offered it. Raising it keeps those that were.",
    )
    released_at = models.DateTimeField(help_text="It is offered from this moment on.")
    withdrawn_at = models.DateTimeField(null=True, blank=True, help_text="It is no longer offered from this moment on.")
    notes_markdown = models.TextField(blank=True, default="")
    download_url = models.URLField(max_length=500, validators=[URLValidator(schemes=["https"])])
    size_bytes = models.BigIntegerField(validators=[MinValueValidator(1)])
    sha256 = models.CharField(
        max_length=64, validators=[RegexValidator(r"\A[0-9a-f]{64}\Z", "64 hexadecimal digits, in lower case.")]
    )
    signature = models.CharField(
        max_length=1000,
        blank=True,
        default="",
        validators=[RegexValidator(r"\A[A-Za-z0-9_-]*\Z", "Base64url, without padding.")],
        help_text="Of the file, as the client checks it; base64url. Empty: none.",
    )

    class Meta:
        db_table = "native_releases"
        constraints = [
            models.UniqueConstraint(fields=["platform", "arch", "channel", "version"], name="native_releases_once")
        ]

    def __str__(self) -> str:
        return f"{self.version} for {self.platform} ({self.arch}, {self.channel})"


class SyncedChange(TenantOwned, Identified):
    """A client's change that was stored: by its `change_id` a repeat is recognised, by `given_id` what it made under another id.

    `digest` is of what it said; `version` the row's after it.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    change_id = models.UUIDField()
    collection = models.CharField(max_length=40)
    given_id = models.UUIDField()
    row_id = models.UUIDField()
    version = models.BigIntegerField(default=0)
    digest = models.CharField(max_length=64)

    class Meta:
        db_table = "native_synced_changes"
        default_manager_name = "unscoped"
        constraints = [
            models.UniqueConstraint(fields=["organization", "user", "change_id"], name="native_synced_changes_once")
        ]
        indexes = [
            models.Index(
                fields=["organization", "user", "given_id"],
                condition=~Q(given_id=models.F("row_id")),
                name="native_synced_changes_named",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.collection} {self.row_id} v{self.version}"


class SentFile(TenantOwned, Identified):
    """A file that a native client sent, and what for. It goes when the file goes."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    file = models.ForeignKey("artefacts.Artefact", on_delete=models.CASCADE, related_name="+")
    purpose = models.CharField(max_length=20)
    client_upload_id = models.UUIDField(null=True, blank=True)

    class Meta:
        db_table = "native_sent_files"
        default_manager_name = "unscoped"
        constraints = [
            models.UniqueConstraint(fields=["organization", "user", "client_upload_id"], name="native_sent_files_once")
        ]

    def __str__(self) -> str:
        return f"{self.purpose} {self.file_id}"
