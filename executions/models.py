"""What is kept of an execution: the run itself, its steps, its log, and figures a workflow adds up to.

`due_at` is the one clock of an execution: when somebody should look at it next. Accepting sets it to now, a claim pushes it
one lease ahead, a heartbeat pushes it on, waiting sets it to the wake-up time (or to nothing, when only an answer or an operator
can wake it), and ending clears it. A worker that dies simply stops pushing, and the execution is due again.
"""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from auterity.kernel.models import Identified, JsonText
from auterity.kernel.tenancy import TenantOwned
from executions.limits import BrakeReason, RunLimits, WorkflowBrake

__all__ = ["BrakeReason", "RunLimits", "WorkflowBrake"]  # Django looks for tables here.


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


class Origin(models.TextChoices):
    """What started an execution."""

    CALL = "call"
    SCHEDULE = "schedule"
    WEBHOOK = "webhook"
    FORM = "form"
    AGAIN = "again"
    RUN = "run", "another run"


class Lane(models.IntegerChoices):
    """Who comes first when workers are scarce; within a lane organizations take turns."""

    INTERACTIVE = 0
    ORDINARY = 1
    BULK = 2


class EffectState(models.TextChoices):
    """What is known of a step's effect on the outside, under its key `execution/node/iteration`."""

    INTENT = "intent", "begun, no answer recorded"
    SENT = "sent", "taken by the other side"
    CONFIRMED = "confirmed"
    NOT_DONE = "not_done", "not done"
    UNKNOWN = "unknown"
    SETTLED_DONE = "settled_done", "settled: it happened"
    SETTLED_NOT = "settled_not", "settled: it did not happen"


# A run holds a slot from its first claim to its end, but not while it waits; a parked one stands in its workflow's line.
HOLDING = models.Q(status="running", waiting_since__isnull=True)
PARKED = models.Q(parked_at__isnull=False, paused_at__isnull=True, completed_at__isnull=True)
SUSPECT_AFTER = 3  # attempts without progress after which an execution is claimed by itself


class Execution(TenantOwned, Identified):
    """One run of one version. `fence` rises with every claim and every outside decision; a write with an older one is refused.

    `signals` counts what came from outside (answers, ended child runs, pause and resume): a worker that holds the execution sees
    that it rose and looks. `waiting_since` is set while it waits for people, a date or other runs, or is paused: that time does
    not count against its deadline, and it holds no slot. `parked_at` is set while it waits in its workflow's line for a slot, not
    due until one is free (see `executions.turns`). `parent_…` name the step that started it, once an item; `body` is the node
    (a path of ids) whose own small graph it runs instead of the whole version's.
    """

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
    origin = models.CharField(max_length=10, choices=Origin.choices, default=Origin.CALL, db_default="call")
    lane = models.PositiveSmallIntegerField(choices=Lane.choices, default=Lane.ORDINARY, db_default=1)
    signals = models.PositiveIntegerField(default=0, db_default=0)
    paused_at = models.DateTimeField(null=True, blank=True)
    waiting_since = models.DateTimeField(null=True, blank=True)
    parked_at = models.DateTimeField(null=True, blank=True)
    parent_id = models.UUIDField(null=True, blank=True)
    parent_node = models.CharField(max_length=110, null=True, blank=True)
    parent_item = models.PositiveIntegerField(null=True, blank=True)
    detached = models.BooleanField(default=False, db_default=False)
    body = models.CharField(max_length=500, blank=True, default="", db_default="")
    depth = models.PositiveSmallIntegerField(default=0, db_default=0)

    class Meta:
        db_table = "workflow_executions"
        default_manager_name = "unscoped"
        indexes = [
            models.Index(fields=["-id"], condition=models.Q(completed_at__isnull=True), name="executions_live"),
            models.Index(fields=["due_at"], condition=models.Q(attempts__gte=SUSPECT_AFTER), name="executions_suspect"),
            models.Index(
                fields=["lane", "organization", "due_at"],
                condition=models.Q(due_at__isnull=False, lease_owner=""),
                name="executions_turns",
            ),
            models.Index(
                fields=["due_at"], condition=HOLDING & models.Q(due_at__isnull=False), name="executions_go_on"
            ),
            models.Index(fields=["organization", "workflow"], condition=HOLDING, name="executions_slots"),
            models.Index(fields=["workflow", "lane", "id"], condition=PARKED, name="executions_parked"),
            models.Index(fields=["organization", "id"], condition=models.Q(status="pending"), name="executions_queued"),
            models.Index(
                fields=["version", "completed_at"], condition=models.Q(error_code="POISON"), name="executions_poisoned"
            ),
            models.Index(fields=["workflow", "-id"], name="executions_by_workflow"),
            models.Index(fields=["organization", "-id"], name="executions_by_organization"),
            models.Index(fields=["workflow", "status", "-id"], name="executions_by_status"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["parent_id", "parent_node", "parent_item"],
                condition=models.Q(parent_id__isnull=False),
                name="executions_child_once",
            )
        ]

    def __str__(self) -> str:
        return str(self.id)


class ExecutionStep(models.Model):
    """One node's record in one execution. Unique by (execution, node, iteration): a second record cannot be written.

    `waits_for` and `state` belong to a step that goes on later; without `waits_for`, a waiting step is tried again at `due_at`.
    `kept_from` names the execution whose record was taken over when that one was run again in part.
    """

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
    waits_for = models.CharField(max_length=10, blank=True, default="", db_default="")
    state = JsonText(null=True, blank=True)
    effect = models.CharField(max_length=12, choices=EffectState.choices, blank=True, default="", db_default="")
    receipt = models.CharField(max_length=200, blank=True, default="", db_default="")
    kept_from = models.UUIDField(null=True, blank=True)

    class Meta:
        db_table = "execution_steps"
        constraints = [
            models.UniqueConstraint(fields=["execution", "node_id", "iteration"], name="execution_steps_once")
        ]
        indexes = [models.Index(fields=["-id"], condition=models.Q(effect="unknown"), name="execution_steps_unknown")]

    def __str__(self) -> str:
        return f"{self.execution_id}/{self.node_id}/{self.iteration}"


class LogKind(models.TextChoices):
    """What a log line tells. All but `note` are changes of state, and frames of the execution's live stream."""

    STARTED = "started"
    STEP_STARTED = "step_started"
    STEP_COMPLETED = "step_completed"
    STEP_WAITING = "step_waiting"
    STEP_RETRY = "step_retry"
    STEP_FAILED = "step_failed"
    PAUSED = "paused"
    RESUMED = "resumed"
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
        indexes = [
            models.Index(fields=["organization", "-id"], name="logs_by_organization"),
            models.Index(fields=["workflow_id", "-id"], name="logs_by_workflow"),
            # Nearly every line is `info`, which needs no index of its own and pays nothing for this one.
            models.Index(
                fields=["organization", "level", "-id"], condition=~models.Q(level="info"), name="logs_by_level"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.execution_id} #{self.seq}"


class OpenQuestion(TenantOwned, Identified):
    """What a waiting step asks of people or of another system. One a step is open at a time; `closed_at` ends it."""

    execution = models.ForeignKey(Execution, on_delete=models.CASCADE, related_name="questions")
    workflow_id = models.UUIDField()
    node_id = models.CharField(max_length=100)
    reason = models.CharField(max_length=10)
    title = models.CharField(max_length=300, blank=True, default="")
    message = models.TextField(blank=True, default="")
    fields = JsonText(default=list)
    people = JsonText(default=list)
    roles = JsonText(default=list)
    public = models.BooleanField(default=False)
    not_author = models.BooleanField(default=False)
    event = models.CharField(max_length=200, blank=True, default="")
    due_at = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "open_questions"
        default_manager_name = "unscoped"
        indexes = [
            models.Index(
                fields=["organization", "-id"], condition=models.Q(closed_at__isnull=True), name="questions_open"
            ),
            models.Index(
                fields=["organization", "event"],
                condition=models.Q(closed_at__isnull=True) & ~models.Q(event=""),
                name="questions_by_event",
            ),
        ]

    def __str__(self) -> str:
        return self.title or f"{self.reason} of {self.node_id}"


class QuestionAnswer(TenantOwned, Identified):
    """What somebody said to a question. Unique by `key`: who said it, or the event's id; a second one is refused."""

    question = models.ForeignKey(OpenQuestion, on_delete=models.CASCADE, related_name="answers", db_index=False)
    key = models.CharField(max_length=64)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True, blank=True
    )
    email = models.CharField(max_length=254, blank=True, default="")
    data = JsonText()

    class Meta:
        db_table = "question_answers"
        default_manager_name = "unscoped"
        constraints = [models.UniqueConstraint(fields=["question", "key"], name="question_answers_once")]

    def __str__(self) -> str:
        return f"{self.question_id}: {self.email or self.key}"


class ReceivedEvent(TenantOwned, Identified):
    """An event that was sent in. It is kept for runs that reach their `wait-for-event` only after it came."""

    name = models.CharField(max_length=200)
    key = models.CharField(max_length=64)
    data = JsonText()

    class Meta:
        db_table = "received_events"
        default_manager_name = "unscoped"
        constraints = [models.UniqueConstraint(fields=["organization", "name", "key"], name="received_events_once")]

    def __str__(self) -> str:
        return self.name


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


class Worker(models.Model):
    """A worker process as it was last seen: `looked_at` when its desk came round (within 10 s), `claimed_at` when it took a run.

    One that leaves takes its row along; the row of one that died stays for a day.
    """

    owner = models.CharField(max_length=100, primary_key=True)
    started_at = models.DateTimeField(db_default=Now())
    looked_at = models.DateTimeField(db_default=Now())
    claimed_at = models.DateTimeField(null=True, blank=True)
    version = models.CharField(max_length=40, blank=True, default="")

    class Meta:
        db_table = "workers"

    def __str__(self) -> str:
        return self.owner


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
