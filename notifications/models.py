"""What people are told: notifications, numbered for each person in each organization, and announcements to everybody.

`Inbox.last_seq` is the one counter of a person's stream. Whoever adds to the stream holds the inbox's row until its commit, so
numbers have no gaps and no number is seen before a smaller one.
"""

from __future__ import annotations

from django.conf import settings
from django.db import models

from auterity.kernel.models import Identified, JsonText, Timestamped
from auterity.kernel.tenancy import TenantOwned


class Category(models.TextChoices):
    """`websockets.yaml`, ws.notifications, user_notification."""

    EXECUTION = "execution"
    WORKFLOW = "workflow"
    TEMPLATE = "template"
    SECURITY = "security"
    QUOTA = "quota"
    INTEGRATION = "integration"
    MENTION = "mention"
    SYSTEM = "system"


ALWAYS_TOLD = (Category.SECURITY, Category.SYSTEM)  # what nobody may mute


class Severity(models.TextChoices):
    INFO = "info"
    SUCCESS = "success"
    WARNING = "warning"
    ERROR = "error"


ANNOUNCED_AS = [(each.value, each.label) for each in Severity if each is not Severity.SUCCESS]


class Inbox(TenantOwned, Identified):
    """One person's stream in one organization. `muted` lists the categories the person does not want to hear of."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    last_seq = models.BigIntegerField(default=0)
    muted = JsonText(default=list, blank=True)

    class Meta:
        db_table = "notification_inboxes"
        default_manager_name = "unscoped"
        verbose_name_plural = "inboxes"
        constraints = [models.UniqueConstraint(fields=["organization", "user"], name="notification_inboxes_person")]

    def __str__(self) -> str:
        return f"{self.user_id} in {self.organization_id}"


class SystemAnnouncement(Timestamped):
    """What the platform's operators tell everybody, from `starts_at` on. It belongs to no tenant.

    `told_to` is the membership it has come to; members who join before `ends_at` are told too. Ending one early is setting
    `ends_at`: people's streams refer to it, so it is never deleted.
    """

    severity = models.CharField(max_length=10, choices=ANNOUNCED_AS, default=Severity.INFO)
    title = models.CharField(max_length=200)
    message = models.TextField()
    starts_at = models.DateTimeField(help_text="When people are told.")
    ends_at = models.DateTimeField(
        null=True, blank=True, help_text="When it no longer holds. Empty: until it is ended."
    )
    told_to = models.UUIDField(null=True, blank=True, editable=False)
    told = models.PositiveIntegerField(default=0, editable=False, help_text="How many people were told.")
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True, editable=False
    )

    class Meta:
        db_table = "system_announcements"

    def __str__(self) -> str:
        return self.title


class UserNotification(TenantOwned, Identified):
    """Something one person is told, as entry `seq` of their stream.

    Notifications with one `key` that come soon after each other are one row with a `count`, whose words are those of the last
    one. `announcement` is set for an announcement's entry in this person's stream.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    seq = models.BigIntegerField()
    category = models.CharField(max_length=12, choices=Category.choices)
    severity = models.CharField(max_length=10, choices=Severity.choices)
    title = models.CharField(max_length=200)
    message = models.TextField()
    link = models.CharField(max_length=300, blank=True, default="")
    data = JsonText(default=dict)
    key = models.CharField(max_length=120, blank=True, default="")
    count = models.PositiveIntegerField(default=1)
    announcement = models.ForeignKey(
        SystemAnnouncement, on_delete=models.PROTECT, related_name="+", null=True, blank=True
    )
    read_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "user_notifications"
        default_manager_name = "unscoped"
        constraints = [
            models.UniqueConstraint(fields=["organization", "user", "seq"], name="user_notifications_stream"),
            models.UniqueConstraint(
                fields=["organization", "user", "announcement"],
                condition=models.Q(announcement__isnull=False),
                name="user_notifications_announced_once",
            ),
        ]
        indexes = [
            models.Index(
                fields=["organization", "user", "-seq"],
                condition=models.Q(read_at__isnull=True),
                name="user_notifications_unread",
            ),
            models.Index(
                fields=["organization", "user", "key", "-seq"],
                condition=~models.Q(key=""),
                name="user_notifications_key",
            ),
        ]

    def __str__(self) -> str:
        return self.title
