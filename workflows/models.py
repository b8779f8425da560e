"""Workflows, their immutable versions, when they run by themselves, and the cases they are tested with.

A version is frozen the moment it is written; runs stay on the one they began on. New runs begin on the published one.
"""

from __future__ import annotations

from django.conf import settings
from django.db import models

from auterity.kernel.models import Identified, JsonText, Timestamped
from auterity.kernel.tenancy import TenantOwned


class Workflow(TenantOwned, Timestamped):
    """What a person draws. A deleted workflow keeps its executions readable.

    `version` is the number of the newest version, `published_version` of the one that runs begin on; null while there is none.
    """

    name = models.CharField(max_length=200)
    description = models.TextField(blank=True, default="")
    category = models.CharField(max_length=100, blank=True, default="")
    is_active = models.BooleanField(default=True)
    version = models.PositiveIntegerField(default=1)
    published_version = models.PositiveIntegerField(null=True, blank=True)
    template_id = models.UUIDField(null=True, blank=True, db_index=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    deleted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "workflows"
        default_manager_name = "unscoped"
        indexes = [models.Index(fields=["organization", "-id"], name="workflows_by_organization")]

    def __str__(self) -> str:
        return self.name

    @property
    def has_draft(self) -> bool:
        """Whether the newest version is not the published one."""
        return self.version != self.published_version


class WorkflowVersion(TenantOwned, Identified):
    """One frozen definition in canonical form: nodes, edges, variables, triggers, settings.

    `note` is what its maker says about the change. `published_at` and `published_by` tell the last time it was published.
    """

    workflow = models.ForeignKey(Workflow, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    definition = JsonText()
    checksum = models.CharField(max_length=64)
    note = models.CharField(max_length=500, blank=True, default="")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    published_at = models.DateTimeField(null=True, blank=True)
    published_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )

    class Meta:
        db_table = "workflow_versions"
        default_manager_name = "unscoped"
        constraints = [models.UniqueConstraint(fields=["workflow", "number"], name="workflow_versions_number")]

    def __str__(self) -> str:
        return f"{self.workflow_id} v{self.number}"


class Schedule(TenantOwned, Identified):
    """When a workflow runs by the clock: one row a `schedule-trigger` node, in step with the published version.

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


class WorkflowTestCase(TenantOwned, Timestamped):
    """One thing a workflow promises: with these inputs it ends so, and these assertions hold.

    `pinned` maps a node's id to the output it is given, `mocks` to `{output, port}` or `{error: {code, message}}`.
    `last_result` is what its last run told, of version `last_version`.
    """

    workflow = models.ForeignKey(Workflow, on_delete=models.PROTECT, related_name="+")
    name = models.CharField(max_length=200)
    input_data = JsonText(default=dict)
    context = JsonText(default=dict)
    pinned = JsonText(default=dict)
    mocks = JsonText(default=dict)
    assertions = JsonText(default=list)
    expected_status = models.CharField(max_length=10, choices=[("completed", "completed"), ("failed", "failed")])
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    last_run_at = models.DateTimeField(null=True, blank=True)
    last_version = models.PositiveIntegerField(null=True, blank=True)
    last_passed = models.BooleanField(null=True, blank=True)
    last_result = JsonText(null=True, blank=True)

    class Meta:
        db_table = "workflow_test_cases"
        default_manager_name = "unscoped"
        constraints = [models.UniqueConstraint(fields=["workflow", "name"], name="workflow_test_cases_name")]

    def __str__(self) -> str:
        return self.name
