"""What is kept of the product's own work: requests and ended runs in buckets of time, what AI calls add up to, and alerts.

A bucket row counts what happened in one span of time that begins at `at`: `span` is its length in seconds, 60, 3600, or 0 for all
time (`at` is then the epoch). `le` is the upper bound, in milliseconds, of the durations it counts; 0 is above the last one.
"""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from auterity.kernel.models import Identified
from auterity.kernel.tenancy import TenantOwned


class Bucket(models.Model):
    """What every bucket has. Rows are added to by upsert, whoever counts, and never changed otherwise."""

    span = models.PositiveIntegerField()
    at = models.DateTimeField()
    count = models.BigIntegerField()

    class Meta:
        abstract = True


class RequestBucket(Bucket):
    """HTTP requests to one route. They are the platform's; whose they were is in `OrganizationRequestBucket`."""

    dialect = models.CharField(max_length=20)
    route = models.CharField(max_length=200)
    method = models.CharField(max_length=10)
    status = models.PositiveSmallIntegerField(help_text="The status' class: 2 is 200 to 299.")
    le = models.PositiveIntegerField(help_text="Milliseconds.")
    ms = models.FloatField(help_text="Their durations together.")

    class Meta:
        db_table = "request_buckets"
        constraints = [
            models.UniqueConstraint(
                fields=["span", "at", "dialect", "route", "method", "status", "le"], name="request_buckets_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.method} {self.route} {self.status}xx at {self.at:%Y-%m-%d %H:%M}"


class OrganizationRequestBucket(TenantOwned, Bucket):
    """HTTP requests by people of one organization."""

    dialect = models.CharField(max_length=20)
    status = models.PositiveSmallIntegerField(help_text="The status' class: 2 is 200 to 299.")
    le = models.PositiveIntegerField(help_text="Milliseconds.")
    ms = models.FloatField(help_text="Their durations together.")

    class Meta:
        db_table = "organization_request_buckets"
        default_manager_name = "unscoped"
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "span", "at", "dialect", "status", "le"],
                name="organization_request_buckets_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.organization_id} {self.status}xx at {self.at:%Y-%m-%d %H:%M}"


class RunBucket(TenantOwned, Bucket):
    """Ended executions of one organization, by how they ended."""

    status = models.CharField(max_length=10)

    class Meta:
        db_table = "run_buckets"
        default_manager_name = "unscoped"
        constraints = [
            models.UniqueConstraint(fields=["organization", "span", "at", "status"], name="run_buckets_once")
        ]

    def __str__(self) -> str:
        return f"{self.organization_id} {self.status} at {self.at:%Y-%m-%d %H:%M}"


class AiFigures(TenantOwned):
    """The ledger of an organization's AI calls, added up to the moment `until`; later calls are added as they are asked for."""

    organization = models.OneToOneField(
        "accounts.Organization", on_delete=models.CASCADE, primary_key=True, related_name="+"
    )
    until = models.DateTimeField()
    calls = models.BigIntegerField(default=0)
    tokens = models.BigIntegerField(default=0)
    cost_usd = models.DecimalField(max_digits=20, decimal_places=6, default=0)

    class Meta:
        db_table = "ai_figures"
        default_manager_name = "unscoped"
        verbose_name_plural = "AI figures"

    def __str__(self) -> str:
        return f"{self.calls} AI calls until {self.until:%Y-%m-%d %H:%M}"


class SystemAlert(Identified):
    """Something wrong with the platform, from `created_at` to `resolved_at`. One a rule and component is open at a time."""

    rule = models.CharField(max_length=40)
    component = models.CharField(max_length=150)
    severity = models.CharField(max_length=10, choices=[(each, each) for each in ("info", "warning", "critical")])
    message = models.TextField()
    seen_at = models.DateTimeField(help_text="When it was last found so.")
    resolved_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "system_alerts"
        constraints = [
            models.UniqueConstraint(
                fields=["rule", "component"], condition=Q(resolved_at__isnull=True), name="system_alerts_open"
            )
        ]

    def __str__(self) -> str:
        return f"{self.severity}: {self.message}"
