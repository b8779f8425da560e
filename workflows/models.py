"""Workflows, their immutable versions, what several people do to one draft, when they run, and the cases they are tested with.

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
    `version` rises with every change of the definition, `revision` with everything that is told to whoever edits it; a version
    that nobody saved, published or tried has no row of its own: it is the nearest row before it and the operations since.
    """

    name = models.CharField(max_length=200)
    description = models.TextField(blank=True, default="")
    category = models.CharField(max_length=100, blank=True, default="")
    is_active = models.BooleanField(default=True)
    version = models.PositiveIntegerField(default=1)
    published_version = models.PositiveIntegerField(null=True, blank=True)
    revision = models.PositiveIntegerField(default=1)
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


class WorkflowSecret(TenantOwned, Identified):
    """The value of a secret setting, sealed. Definitions hold a reference to it and are shown a mask (`workflows.sealing`).

    `fingerprint` is a keyed digest by which the same value is found again.
    """

    sealed = models.BinaryField(editable=False)
    fingerprint = models.CharField(max_length=64, editable=False)

    class Meta:
        db_table = "workflow_secrets"
        default_manager_name = "unscoped"
        constraints = [models.UniqueConstraint(fields=["organization", "fingerprint"], name="workflow_secrets_once")]

    def __str__(self) -> str:
        return str(self.id)


class WorkflowOperation(TenantOwned, Identified):
    """One thing that was done to a workflow, never changed: an edit of its draft, a save of it whole, or a publishing.

    `revision` counts them without gaps, `version` is the definition's after it. `data` is what it does and `before` what was
    there, both canonical. `cause` is the revision of the operation that brought this one about; `act` is do, undo or redo, and
    `target` the revision that is undone or redone. `client_op_id` is the sender's own name for it, used once by each user.
    """

    workflow = models.ForeignKey(Workflow, on_delete=models.PROTECT, related_name="operations")
    revision = models.PositiveIntegerField()
    version = models.PositiveIntegerField()
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    operation = models.CharField(max_length=30)
    subject = models.CharField(max_length=100, blank=True, default="")
    data = JsonText(default=dict)
    before = JsonText(default=dict)
    client_op_id = models.CharField(max_length=64, null=True, blank=True)
    connection = models.UUIDField(null=True, blank=True)
    cause = models.PositiveIntegerField(null=True, blank=True)
    act = models.CharField(max_length=4, default="do", choices=[(each, each) for each in ("do", "undo", "redo")])
    target = models.PositiveIntegerField(null=True, blank=True)

    class Meta:
        db_table = "workflow_operations"
        default_manager_name = "unscoped"
        constraints = [
            models.UniqueConstraint(fields=["workflow", "revision"], name="workflow_operations_revision"),
            models.UniqueConstraint(fields=["workflow", "user", "client_op_id"], name="workflow_operations_once"),
        ]
        indexes = [
            models.Index(fields=["workflow", "subject", "-revision"], name="workflow_operations_subject"),
            models.Index(fields=["workflow", "user", "-revision"], name="workflow_operations_user"),
            models.Index(fields=["workflow", "version"], name="workflow_operations_version"),
        ]

    def __str__(self) -> str:
        return f"{self.workflow_id} r{self.revision} {self.operation}"


class WorkflowParticipant(TenantOwned, Identified):
    """One open connection to a workflow's draft. Whoever was not `seen_at` for a while is gone, their process too."""

    workflow = models.ForeignKey(Workflow, on_delete=models.CASCADE, related_name="+")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    connection = models.UUIDField(unique=True)
    color = models.CharField(max_length=7)
    can_edit = models.BooleanField(default=False)
    seen_at = models.DateTimeField()

    class Meta:
        db_table = "workflow_participants"
        default_manager_name = "unscoped"
        indexes = [models.Index(fields=["workflow", "seen_at"], name="workflow_participants_seen")]

    def __str__(self) -> str:
        return f"{self.workflow_id}/{self.user_id}"


class WorkflowComment(TenantOwned, Timestamped):
    """What somebody says about a workflow, one of its nodes, or another comment. A deleted one keeps its place and no text."""

    workflow = models.ForeignKey(Workflow, on_delete=models.PROTECT, related_name="+")
    node_id = models.CharField(max_length=100, blank=True, default="")
    parent = models.ForeignKey("self", on_delete=models.PROTECT, null=True, blank=True, related_name="replies")
    body = models.TextField()
    mentions = JsonText(default=list)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    edited_at = models.DateTimeField(null=True, blank=True)
    resolved_at = models.DateTimeField(null=True, blank=True)
    resolved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    deleted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "workflow_comments"
        default_manager_name = "unscoped"
        indexes = [models.Index(fields=["workflow", "id"], name="workflow_comments_by_workflow")]

    def __str__(self) -> str:
        return f"{self.workflow_id}: {self.body[:40]}"


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
