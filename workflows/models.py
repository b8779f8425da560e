"""Workflows, their immutable versions, and when they run by themselves.

A version is frozen the moment it is written; runs stay on the one they began on.
"""

from __future__ import annotations

from django.conf import settings
from django.db import models

from auterity.kernel.models import Identified, JsonText, Timestamped
from auterity.kernel.tenancy import TenantOwned


class Workflow(TenantOwned, Timestamped):
    """What a person draws. `version` is the number of the newest version; a deleted workflow keeps its executions readable."""

    name = models.CharField(max_length=200)
    description = models.TextField(blank=True, default="")
    category = models.CharField(max_length=100, blank=True, default="")
    is_active = models.BooleanField(default=True)
    version = models.PositiveIntegerField(default=1)
    template_id = models.UUIDField(null=True, blank=True, db_index=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    deleted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "workflows"
        default_manager_name = "unscoped"
        indexes = [models.Index(fields=["organization", "-id"], name="workflows_by_organization")]

    def __str__(self) -> str:
        return self.name


class WorkflowVersion(TenantOwned, Identified):
    """One frozen definition in canonical form: nodes, edges, variables, triggers, settings."""

    workflow = models.ForeignKey(Workflow, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    definition = JsonText()
    checksum = models.CharField(max_length=64)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")

    class Meta:
        db_table = "workflow_versions"
        default_manager_name = "unscoped"
        constraints = [models.UniqueConstraint(fields=["workflow", "number"], name="workflow_versions_number")]

    def __str__(self) -> str:
        return f"{self.workflow_id} v{self.number}"


class Schedule(TenantOwned, Identified):
    """When a workflow runs by the clock: one row a `schedule-trigger` node, kept in step with the newest version.

    `due_at` is the next moment of its rule, and null while it must not fire. A row whose node is gone stays, for the record of
    what it fired.
    """

    workflow = models.ForeignKey(Workflow, on_delete=models.PROTECT, related_name="+")
    node_id = models.CharField(max_length=100)
    rule = JsonText()
    inputs = JsonText(default=dict)
    due_at = models.DateTimeField(null=True, blank=True)
    last_fired_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "schedules"
        default_manager_name = "unscoped"
        constraints = [models.UniqueConstraint(fields=["workflow", "node_id"], name="schedules_node")]
        indexes = [models.Index(fields=["due_at"], condition=models.Q(due_at__isnull=False), name="schedules_due")]

    def __str__(self) -> str:
        return f"{self.workflow_id}/{self.node_id}"
