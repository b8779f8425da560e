"""Incidents, threats, alert rules and asked-for tiers of one organization. What they are made of is in the audit trail."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from auterity.kernel.models import Identified, JsonText, Timestamped
from auterity.kernel.tenancy import TenantOwned


class Level(models.TextChoices):
    """How bad, from the least."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


RANK = {each.value: at for at, each in enumerate(Level, start=1)}


class IncidentStatus(models.TextChoices):
    OPEN = "open"
    INVESTIGATING = "investigating"
    CONTAINED = "contained"
    RESOLVED = "resolved"
    FALSE_POSITIVE = "false_positive"


ENDED = (IncidentStatus.RESOLVED, IncidentStatus.FALSE_POSITIVE)


class IncidentCategory(models.TextChoices):
    UNAUTHORIZED_ACCESS = "unauthorized_access"
    DATA_LEAK = "data_leak"
    MALWARE = "malware"
    PHISHING = "phishing"
    CREDENTIAL_CLONE = "credential_clone"
    POLICY_VIOLATION = "policy_violation"
    AVAILABILITY = "availability"
    OTHER = "other"


class IncidentSource(models.TextChoices):
    USER = "user"
    DETECTOR = "detector"
    ALERT = "alert"


class IncidentNumbers(TenantOwned):
    """The last number an organization's incidents have had. Whoever opens one holds the row until its commit."""

    organization = models.OneToOneField(
        "accounts.Organization", on_delete=models.CASCADE, primary_key=True, related_name="+"
    )
    last = models.PositiveIntegerField(default=0)

    class Meta:
        db_table = "security_incident_numbers"
        default_manager_name = "unscoped"
        verbose_name_plural = "incident numbers"

    def __str__(self) -> str:
        return f"{self.organization_id} {self.last}"


class SecurityIncident(TenantOwned, Timestamped):
    """Something that somebody has to look into. `evidence` are ids of audit events."""

    number = models.PositiveIntegerField()
    title = models.CharField(max_length=200)
    description = models.TextField()
    category = models.CharField(max_length=20, choices=IncidentCategory.choices, default=IncidentCategory.OTHER)
    severity = models.CharField(max_length=8, choices=Level.choices)
    status = models.CharField(max_length=14, choices=IncidentStatus.choices, default=IncidentStatus.OPEN)
    source = models.CharField(max_length=8, choices=IncidentSource.choices)
    reported_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    assigned_to = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    affected_users = JsonText(default=list)
    resource_type = models.CharField(max_length=80, blank=True, default="")
    resource_ids = JsonText(default=list)
    evidence = JsonText(default=list)
    occurred_at = models.DateTimeField()
    resolved_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "security_incidents"
        default_manager_name = "unscoped"
        constraints = [models.UniqueConstraint(fields=["organization", "number"], name="security_incidents_number")]
        indexes = [models.Index(fields=["organization", "-id"], name="security_incidents_newest")]

    @property
    def reference(self) -> str:
        return f"INC-{self.number:06d}"

    def __str__(self) -> str:
        return f"{self.reference} {self.title}"


class IncidentEntry(TenantOwned, Identified):
    """One line of an incident's timeline. Without a `user` the product itself wrote it."""

    incident = models.ForeignKey(SecurityIncident, on_delete=models.CASCADE, related_name="timeline")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    action = models.CharField(max_length=40)
    note = models.TextField(blank=True, default="")
    at = models.DateTimeField()

    class Meta:
        db_table = "security_incident_entries"
        default_manager_name = "unscoped"
        verbose_name_plural = "incident entries"

    def __str__(self) -> str:
        return f"{self.action} {self.at:%Y-%m-%d %H:%M}"


class ThreatStatus(models.TextChoices):
    ACTIVE = "active"
    MITIGATED = "mitigated"
    EXPIRED = "expired"


class Threat(TenantOwned, Timestamped):
    """What a detector found. One source, found again within the rule's window, is the same row.

    `organization` is empty where no account of anybody's was hit. `source` is the source in one text, for being unique.
    """

    organization = models.ForeignKey(  # type: ignore[assignment]
        "accounts.Organization", on_delete=models.PROTECT, related_name="+", null=True, blank=True
    )
    chain = models.UUIDField(help_text="The trail it was found in.")
    type = models.CharField(max_length=24)
    status = models.CharField(max_length=10, choices=ThreatStatus.choices, default=ThreatStatus.ACTIVE)
    source = models.CharField(max_length=120)
    score = models.PositiveSmallIntegerField()
    address = models.CharField(max_length=64, blank=True, default="")
    user_id = models.UUIDField(null=True, blank=True)
    user_agent = models.CharField(max_length=400, blank=True, default="")
    target_users = JsonText(default=list)
    paths = JsonText(default=list)
    events = models.PositiveIntegerField()
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    threshold = models.PositiveIntegerField()
    window_seconds = models.PositiveIntegerField()
    evidence = JsonText(default=list)
    mitigation = models.CharField(max_length=20, default="none")
    mitigated_until = models.DateTimeField(null=True, blank=True)
    incident = models.ForeignKey(SecurityIncident, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")

    class Meta:
        db_table = "security_threats"
        default_manager_name = "unscoped"
        constraints = [
            models.UniqueConstraint(
                fields=["chain", "type", "source"], condition=~Q(status="expired"), name="security_threats_once"
            )
        ]
        indexes = [models.Index(fields=["organization", "-last_seen_at"], name="security_threats_newest")]

    def __str__(self) -> str:
        return f"{self.type} from {self.source}"


class DetectorRun(models.Model):
    """When a detector last looked."""

    name = models.CharField(primary_key=True, max_length=24)
    last_run_at = models.DateTimeField()

    class Meta:
        db_table = "security_detector_runs"

    def __str__(self) -> str:
        return f"{self.name} {self.last_run_at:%Y-%m-%d %H:%M}"


class AlertRule(TenantOwned, Timestamped):
    """When people want to be told. It is told once per cooldown, by one guarded UPDATE of `last_fired_at`."""

    name = models.CharField(max_length=100)
    metric = models.CharField(max_length=24)
    operator = models.CharField(max_length=3)
    threshold = models.FloatField()
    window_minutes = models.PositiveIntegerField()
    enabled = models.BooleanField(default=True)
    severity = models.CharField(max_length=8, choices=Level.choices, default=Level.MEDIUM)
    channels = JsonText(default=list)
    cooldown_minutes = models.PositiveIntegerField(default=60)
    filter = JsonText(default=dict)
    last_fired_at = models.DateTimeField(null=True, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )

    class Meta:
        db_table = "security_alert_rules"
        default_manager_name = "unscoped"
        constraints = [models.UniqueConstraint(fields=["organization", "name"], name="security_alert_rules_name")]

    def __str__(self) -> str:
        return self.name


class UpgradeStatus(models.TextChoices):
    PENDING = "pending"
    GRANTED = "granted"
    EXPIRED = "expired"


class TierUpgrade(TenantOwned, Timestamped):
    """A higher tier that somebody asked for. It is granted by itself when the last missing requirement is met."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    target = models.CharField(max_length=10)
    status = models.CharField(max_length=8, choices=UpgradeStatus.choices, default=UpgradeStatus.PENDING)
    reason = models.CharField(max_length=500, blank=True, default="")
    expires_at = models.DateTimeField()
    granted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "security_tier_upgrades"
        default_manager_name = "unscoped"
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "user", "target"],
                condition=Q(status="pending"),
                name="security_tier_upgrades_pending",
            )
        ]

    def __str__(self) -> str:
        return f"{self.target} for {self.user_id}"
