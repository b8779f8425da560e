"""What people prove themselves with beside a password, what was tried, and what their organization demands."""

from __future__ import annotations

from django.db import models

from auterity.kernel.models import Identified, JsonText, Timestamped
from auterity.kernel.tenancy import TenantOwned

_USER = "accounts.User"


class Totp(Identified):
    """An authenticator app's secret, wrapped under the server's key. It counts once `confirmed_at` is set.

    `last_step` is the newest step whose code was accepted: none is accepted twice, nor an older one after it.
    """

    user = models.OneToOneField(_USER, on_delete=models.CASCADE, related_name="totp")
    secret = models.BinaryField()
    label = models.CharField(max_length=60, blank=True, default="")
    expires_at = models.DateTimeField(help_text="Until when it can be confirmed.")
    confirmed_at = models.DateTimeField(null=True, blank=True)
    last_step = models.BigIntegerField(default=0)
    drift = models.SmallIntegerField(default=0, help_text="Steps that the app's clock is ahead of ours.")

    class Meta:
        db_table = "totp_secrets"

    def __str__(self) -> str:
        return f"authenticator of {self.user_id}"


class BackupCode(Identified):
    """One of ten codes that stand in for a lost authenticator, once. Only a keyed hash is stored."""

    user = models.ForeignKey(_USER, on_delete=models.CASCADE, related_name="backup_codes")
    code_hash = models.CharField(max_length=64)
    used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "backup_codes"
        constraints = [models.UniqueConstraint(fields=["user", "code_hash"], name="backup_codes_user_code_unique")]

    def __str__(self) -> str:
        return f"backup code of {self.user_id}"


class PasswordRecord(Identified):
    """A hash of a password that somebody had: the last ones may not be chosen again."""

    user = models.ForeignKey(_USER, on_delete=models.CASCADE, related_name="former_passwords")
    password = models.CharField(max_length=128)

    class Meta:
        db_table = "former_passwords"

    def __str__(self) -> str:
        return f"former password of {self.user_id}"


class TrustedDevice(Timestamped):
    """A device that somebody told us to know again until `trusted_until`. Its login is not questioned for being new."""

    user = models.ForeignKey(_USER, on_delete=models.CASCADE, related_name="trusted_devices")
    fingerprint = models.CharField(max_length=64)
    name = models.CharField(max_length=100, blank=True, default="")
    trusted_until = models.DateTimeField()

    class Meta:
        db_table = "trusted_devices"
        constraints = [models.UniqueConstraint(fields=["user", "fingerprint"], name="trusted_devices_user_device")]

    def __str__(self) -> str:
        return f"{self.name or 'device'} of {self.user_id}"


class LoginOutcome(models.TextChoices):
    SUCCESS = "success"
    FAILED = "failed"
    CHALLENGED = "challenged"
    BLOCKED = "blocked"
    LOCKED = "locked"


class LoginAttempt(Identified):
    """A login that was tried: what later ones of the account are judged by. `user` is empty where there is no such account."""

    user = models.ForeignKey(_USER, on_delete=models.CASCADE, null=True, blank=True, related_name="login_attempts")
    organization = models.ForeignKey(
        "accounts.Organization", on_delete=models.CASCADE, null=True, blank=True, related_name="+"
    )
    outcome = models.CharField(max_length=12, choices=LoginOutcome.choices)
    method = models.CharField(max_length=64, blank=True, default="")
    dialect = models.CharField(max_length=32, blank=True, default="")
    address = models.CharField(max_length=64, blank=True, default="")
    network = models.CharField(max_length=64, blank=True, default="")
    fingerprint = models.CharField(max_length=64, blank=True, default="")
    user_agent = models.CharField(max_length=400, blank=True, default="")
    session_id = models.UUIDField(null=True, blank=True)
    risk_score = models.PositiveSmallIntegerField(null=True, blank=True)
    risk = JsonText(null=True, blank=True)

    class Meta:
        db_table = "login_attempts"
        indexes = [
            models.Index(fields=["user", "-id"], name="login_attempts_user"),
            models.Index(fields=["organization", "-id"], name="login_attempts_organization"),
        ]

    def __str__(self) -> str:
        return f"{self.outcome} {self.id}"


class GuessCount(models.Model):
    """The newest tries at one secret, known by a hash of what it protects. Each is `[milliseconds, number, failed]`."""

    key = models.CharField(primary_key=True, max_length=64)
    tries = JsonText(default=list)
    updated_at = models.DateTimeField(auto_now=True, db_index=True)

    class Meta:
        db_table = "guess_counts"

    def __str__(self) -> str:
        return self.key


class SpentToken(models.Model):
    """A signed token that was good for one use and has had it. Its id is the claim `jti`."""

    id = models.UUIDField(primary_key=True)
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        db_table = "spent_tokens"

    def __str__(self) -> str:
        return str(self.id)


class OrganizationPolicies(TenantOwned):
    """What one organization demands of its people, by policy key; what is not set is the default (`accounts.policies`)."""

    organization = models.OneToOneField(
        "accounts.Organization", on_delete=models.CASCADE, primary_key=True, related_name="+"
    )
    chosen = JsonText(default=dict)
    version = models.PositiveIntegerField(default=0)
    updated_at = models.DateTimeField(auto_now=True)
    updated_by = models.ForeignKey(_USER, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")

    class Meta:
        db_table = "organization_policies"
        default_manager_name = "unscoped"
        verbose_name_plural = "organization policies"

    def __str__(self) -> str:
        return f"policies of {self.organization_id}"
