"""What is kept of an execution: the run itself, its steps, its log, and figures a workflow adds up to.

`due_at` is the one clock of an execution: when somebody should look at it next. Accepting sets it to now, a claim pushes it
one lease ahead, a heartbeat pushes it on, waiting sets it to the wake-up time, and ending clears it. A worker that dies simply
stops pushing, and the execution is due again.
"""

from __future__ import annotations

from django.conf import settings
from django.db import models

from auterity.kernel.models import Identified, JsonText
from auterity.kernel.tenancy import TenantOwned


class ExecutionStatus(models.TextChoices):
    """000, Execution Status Schema."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    TIMEOUT = "timeout"


LIVE = (ExecutionStatus.PENDING, ExecutionStatus.RUNNING)
TERMINAL = (
    ExecutionStatus.COMPLETED,
    ExecutionStatus.FAILED,
    ExecutionStatus.CANCELLED,
    ExecutionStatus.TIMEOUT,
)


class StepStatus(models.TextChoices):
    """A step's own states. `waiting` is a step whose next attempt is due later."""

    RUNNING = "running"
    WAITING = "waiting"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


SUSPECT_AFTER = 3  # attempts without progress after which an execution is claimed by itself


class Execution(TenantOwned, Identified):
    """One run of one version. `fence` rises with every claim and every outside decision; a write with an older one is refused."""

    workflow = models.ForeignKey("workflows.Workflow", on_delete=models.PROTECT, related_name="+")
    version = models.ForeignKey("workflows.WorkflowVersion", on_delete=models.PROTECT, related_name="+")
    status = models.CharField(max_length=10, choices=ExecutionStatus.choices, default=ExecutionStatus.PENDING)
    input_data = JsonText()
    context = JsonText(default=dict)
    output_data = JsonText(null=True, blank=True)
    error_code = models.CharField(max_length=40, blank=True, default="")
    error_message = models.TextField(blank=True, default="")
    progress = models.FloatField(default=0)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True)
    started_at = models.DateTimeField(null=True, blank=True)
    completed_at = models.DateTimeField(null=True, blank=True)
    deadline_at = models.DateTimeField()
    due_at = models.DateTimeField(null=True, blank=True)
    lease_owner = models.CharField(max_length=100, blank=True, default="")
    fence = models.BigIntegerField(default=0)
    attempts = models.PositiveSmallIntegerField(default=0)
    seq = models.PositiveIntegerField(default=0)
    webhook_url = models.TextField(blank=True, default="")
    rerun_of = models.UUIDField(null=True, blank=True)

    class Meta:
        db_table = "workflow_executions"
        default_manager_name = "unscoped"
        indexes = [
            models.Index(fields=["due_at"], condition=models.Q(due_at__isnull=False), name="executions_due"),
            models.Index(fields=["due_at"], condition=models.Q(attempts__gte=SUSPECT_AFTER), name="executions_suspect"),
            models.Index(fields=["workflow", "-id"], name="executions_by_workflow"),
            models.Index(fields=["organization", "-id"], name="executions_by_organization"),
            models.Index(fields=["workflow", "status", "-id"], name="executions_by_status"),
        ]

    def __str__(self) -> str:
        return str(self.id)


class ExecutionStep(models.Model):
    """One node's record in one execution. Unique by (execution, node, iteration): a second record cannot be written."""

    id = models.BigAutoField(primary_key=True)
    execution = models.ForeignKey(Execution, on_delete=models.CASCADE, related_name="steps", db_index=False)
    node_id = models.CharField(max_length=100)
    iteration = models.PositiveIntegerField(default=0)
    node_name = models.CharField(max_length=200)
    node_type = models.CharField(max_length=100)
    status = models.CharField(max_length=10, choices=StepStatus.choices)
    attempt = models.PositiveSmallIntegerField(default=1)
    input_data = JsonText(null=True, blank=True)
    output_data = JsonText(null=True, blank=True)
    port = models.CharField(max_length=100, blank=True, default="")
    taken = JsonText(null=True, blank=True)
    error_code = models.CharField(max_length=40, blank=True, default="")
    error_message = models.TextField(blank=True, default="")
    started_at = models.DateTimeField()
    completed_at = models.DateTimeField(null=True, blank=True)
    due_at = models.DateTimeField(null=True, blank=True)
    tokens = models.PositiveIntegerField(default=0)
    cost_usd = models.DecimalField(max_digits=14, decimal_places=6, default=0)
    ai_ms = models.FloatField(default=0)

    class Meta:
        db_table = "execution_steps"
        constraints = [
            models.UniqueConstraint(fields=["execution", "node_id", "iteration"], name="execution_steps_once")
        ]

    def __str__(self) -> str:
        return f"{self.execution_id}/{self.node_id}/{self.iteration}"


class LogKind(models.TextChoices):
    """What a log line tells. All but `note` are changes of state, and frames of the execution's live stream."""

    STARTED = "started"
    STEP_STARTED = "step_started"
    STEP_COMPLETED = "step_completed"
    STEP_RETRY = "step_retry"
    STEP_FAILED = "step_failed"
    NOTE = "note"
    ENDED = "ended"


class ExecutionLog(TenantOwned, Identified):
    """The journal as people read it, and the live stream as clients replay it: `seq` counts from 1 without gaps."""

    execution = models.ForeignKey(Execution, on_delete=models.CASCADE, related_name="+", db_index=False)
    workflow_id = models.UUIDField()
    seq = models.PositiveIntegerField()
    kind = models.CharField(max_length=20, choices=LogKind.choices)
    level = models.CharField(max_length=7, default="info")
    node_id = models.CharField(max_length=100, null=True, blank=True)
    message = models.TextField()
    data = JsonText(null=True, blank=True)
    status = models.CharField(max_length=10, choices=ExecutionStatus.choices)
    progress = models.FloatField()

    class Meta:
        db_table = "execution_logs"
        default_manager_name = "unscoped"
        constraints = [models.UniqueConstraint(fields=["execution", "seq"], name="execution_logs_stream")]
        indexes = [models.Index(fields=["organization", "-id"], name="logs_by_organization")]

    def __str__(self) -> str:
        return f"{self.execution_id} #{self.seq}"


class ScheduleFire(TenantOwned, Identified):
    """One moment of a schedule, and the execution it started. Unique: no moment is fired twice, whoever tries."""

    schedule = models.ForeignKey("workflows.Schedule", on_delete=models.PROTECT, related_name="+", db_index=False)
    fire_at = models.DateTimeField()
    execution = models.ForeignKey(Execution, on_delete=models.SET_NULL, null=True, related_name="+")

    class Meta:
        db_table = "schedule_fires"
        default_manager_name = "unscoped"
        constraints = [models.UniqueConstraint(fields=["schedule", "fire_at"], name="schedule_fires_once")]

    def __str__(self) -> str:
        return f"{self.schedule_id} at {self.fire_at:%Y-%m-%d %H:%M:%S}"


class WebhookReceipt(TenantOwned, Identified):
    """A call to a `webhook-trigger`, by the key that a repeat has too. Unique: it starts one execution, come as it may."""

    workflow = models.ForeignKey("workflows.Workflow", on_delete=models.PROTECT, related_name="+", db_index=False)
    node_id = models.CharField(max_length=100)
    key = models.CharField(max_length=64)
    execution = models.ForeignKey(Execution, on_delete=models.CASCADE, related_name="+")

    class Meta:
        db_table = "webhook_receipts"
        default_manager_name = "unscoped"
        constraints = [models.UniqueConstraint(fields=["workflow", "node_id", "key"], name="webhook_receipts_once")]

    def __str__(self) -> str:
        return f"{self.workflow_id}/{self.node_id} {self.key[:12]}"


class WorkflowFigures(models.Model):
    """Ended executions of a workflow, added up as they end, so that no page ever counts a million rows."""

    workflow = models.OneToOneField("workflows.Workflow", on_delete=models.CASCADE, primary_key=True, related_name="+")
    completed = models.BigIntegerField(default=0)
    failed = models.BigIntegerField(default=0)
    cancelled = models.BigIntegerField(default=0)
    timeout = models.BigIntegerField(default=0)
    seconds = models.FloatField(default=0)

    class Meta:
        db_table = "workflow_figures"
        verbose_name_plural = "workflow figures"

    def __str__(self) -> str:
        return str(self.workflow_id)
