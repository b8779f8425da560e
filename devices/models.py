"""Native installations, the devices that people registered by a key of their own, and the challenges that these sign."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from auterity.kernel.models import Identified, JsonText, Timestamped, uuid7


class Platform(models.TextChoices):
    WINDOWS = "windows", "Windows"
    MACOS = "macos", "macOS"
    LINUX = "linux", "Linux"
    IOS = "ios", "iOS"
    ANDROID = "android", "Android"


DESKTOP = frozenset({Platform.WINDOWS, Platform.MACOS, Platform.LINUX})


class Installation(Timestamped):
    """One installed app. Its id is the `client_id`; it is nobody's until somebody logs in with it.

    The secret that a desktop app got is stored as SHA-256: what cannot be guessed needs no slow hash.
    """

    install_id = models.UUIDField(unique=True, default=uuid7, help_text="What the app calls itself.")
    client_name = models.CharField(max_length=80)
    platform = models.CharField(max_length=10, choices=Platform.choices)
    app_version = models.CharField(max_length=64)
    secret_hash = models.CharField(max_length=64, blank=True, default="", editable=False)
    redirect_uris = JsonText(default=list)
    locale = models.CharField(max_length=35, blank=True, default="")
    last_used_at = models.DateTimeField(null=True, blank=True, help_text="The last login or refresh.")
    is_active = models.BooleanField(default=True)

    class Meta:
        db_table = "native_installations"

    def __str__(self) -> str:
        return f"{self.client_name} on {self.get_platform_display()}"


class Status(models.TextChoices):
    """Pending until its key signs for the first time. Only an operator ends a suspension; nothing ends a revocation."""

    PENDING = "pending"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    REVOKED = "revoked"


class Algorithm(models.TextChoices):
    ED25519 = "Ed25519"
    P256 = "P-256"


class Device(Timestamped):
    """A machine of somebody's that proves itself by a key. Only the public half is here, so it opens nothing for who reads it.

    A revoked device stays, so that its key is not taken again.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="devices")
    installation = models.ForeignKey(
        Installation, on_delete=models.SET_NULL, null=True, blank=True, related_name="devices"
    )
    name = models.CharField(max_length=80)
    platform = models.CharField(max_length=10, choices=Platform.choices)
    os_version = models.CharField(max_length=64, blank=True, default="")
    app_version = models.CharField(max_length=64, blank=True, default="")
    model = models.CharField(max_length=100, blank=True, default="")
    hardware_id_hash = models.CharField(max_length=64, blank=True, default="", help_text="As the app made it.")
    push_provider = models.CharField(max_length=4, blank=True, default="")
    push_secret = models.CharField(max_length=4096, blank=True, default="", help_text="The provider's token.")
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.PENDING)
    algorithm = models.CharField(max_length=8, choices=Algorithm.choices)
    public_key = models.BinaryField(editable=False)
    key_id = models.CharField(max_length=43, unique=True, help_text="The thumbprint of the key (RFC 7638).")
    wrong_signatures = models.PositiveSmallIntegerField(default=0, help_text="In a row.")
    last_authenticated_at = models.DateTimeField(null=True, blank=True)
    last_sync_at = models.DateTimeField(null=True, blank=True)
    last_address = models.CharField(max_length=64, blank=True, default="")
    ended_at = models.DateTimeField(null=True, blank=True, help_text="When it was suspended or revoked.")

    class Meta:
        db_table = "devices"

    def __str__(self) -> str:
        return self.name


class DeviceChallenge(Identified):
    """A nonce that a device is to sign, once, within a minute. `device_id` is as somebody said it: there may be none."""

    device_id = models.UUIDField()
    nonce = models.BinaryField(editable=False)
    expires_at = models.DateTimeField(db_index=True)
    used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "device_challenges"

    def __str__(self) -> str:
        return str(self.id)
