"""What an organization's runs may take at once, and workflows whose automatic starts are stopped for a while."""

from __future__ import annotations

from django.db import models

from auterity.kernel.models import Identified
from auterity.kernel.tenancy import TenantOwned


class RunLimits(TenantOwned):
    """An organization's own limits, where they differ from `settings.ENGINE`. Empty is the setting's; 0 is no limit."""

    organization = models.OneToOneField(
        "accounts.Organization", on_delete=models.CASCADE, primary_key=True, related_name="+"
    )
    concurrent_runs = models.PositiveIntegerField(
        null=True,
        blank=True,
        help_text="Runs under way at once. Runs that wait for people, a date or other runs do not count.",
    )
    queued_runs = models.PositiveIntegerField(
        null=True, blank=True, help_text="Runs accepted and not begun. Beyond it, starts are refused with 429."
    )
    starts_per_minute = models.PositiveIntegerField(
        null=True, blank=True, help_text="Starts within a minute. Beyond it, starts are refused with 429."
    )

    class Meta:
        db_table = "run_limits"
        default_manager_name = "unscoped"
        verbose_name_plural = "run limits"

    def __str__(self) -> str:
        return f"Limits of {self.organization}"


class BrakeReason(models.TextChoices):
    STORM = "storm", "it starts itself"
    POISON = "poison", "it takes workers down"


class WorkflowBrake(TenantOwned, Identified):
    """A workflow whose starts by schedule, webhook or another run are refused. One a workflow is open at a time.

    It ends at `until` by itself, or earlier by an operator; `released_at` says when. With the reason poison, runs that were
    accepted already do not begin meanwhile.
    """

    workflow = models.ForeignKey("workflows.Workflow", on_delete=models.CASCADE, related_name="+", db_index=False)
    reason = models.CharField(max_length=10, choices=BrakeReason.choices)
    message = models.TextField()
    until = models.DateTimeField()
    tripped_by = models.UUIDField(null=True, blank=True, help_text="The execution that was one too many.")
    released_at = models.DateTimeField(null=True, blank=True)
    released_by = models.CharField(max_length=254, blank=True, default="")

    class Meta:
        db_table = "workflow_brakes"
        default_manager_name = "unscoped"
        constraints = [
            models.UniqueConstraint(
                fields=["workflow"], condition=models.Q(released_at__isnull=True), name="workflow_brakes_open"
            )
        ]

    def __str__(self) -> str:
        return f"Brake on {self.workflow_id}: {self.get_reason_display()}"
