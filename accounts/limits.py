"""What an organization may use in a period, what it has used, and what it was told about that (000, Usage Quotas)."""

from __future__ import annotations

from django.core.validators import MinValueValidator
from django.db import models

from auterity.kernel.models import Identified, JsonText, Timestamped
from auterity.kernel.tenancy import TenantOwned


class Counter(models.TextChoices):
    """What is limited. The first three are counted anew in each period; the last two are levels that rise and fall."""

    WORKFLOW_EXECUTIONS = "workflow_executions"
    AI_API_CALLS = "ai_api_calls"
    AI_TOKENS = "ai_tokens"
    STORAGE_MB = "storage_mb"
    COLLABORATORS = "collaborators"


class Period(models.TextChoices):
    """Calendar periods in UTC."""

    DAILY = "daily"
    MONTHLY = "monthly"
    YEARLY = "yearly"


COUNTED = (Counter.WORKFLOW_EXECUTIONS, Counter.AI_API_CALLS, Counter.AI_TOKENS)
LEVELS = (Counter.STORAGE_MB, Counter.COLLABORATORS)


def _limit(help_text: str = "") -> models.BigIntegerField[int | None, int | None]:
    return models.BigIntegerField(null=True, blank=True, validators=[MinValueValidator(0)], help_text=help_text)


class UsageQuota(TenantOwned):
    """The limits of one organization. An empty one, or no row at all, is no limit."""

    organization = models.OneToOneField(
        "accounts.Organization", on_delete=models.CASCADE, primary_key=True, related_name="+"
    )
    daily_workflow_executions = _limit()
    daily_ai_api_calls = _limit()
    daily_ai_tokens = _limit()
    monthly_workflow_executions = _limit()
    monthly_ai_api_calls = _limit()
    monthly_ai_tokens = _limit()
    yearly_workflow_executions = _limit()
    yearly_ai_api_calls = _limit()
    yearly_ai_tokens = _limit()
    storage_mb = _limit("Mebibytes of stored files at any moment.")
    collaborators = _limit("Active members and open invitations at any moment.")
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        db_table = "usage_quotas"
        default_manager_name = "unscoped"

    def __str__(self) -> str:
        return f"limits of {self.organization_id}"

    def limit(self, counter: str, period: str) -> int | None:
        """The limit of a counter in a period; a level has one whatever the period. None: no limit."""
        found: int | None = getattr(self, counter if counter in LEVELS else f"{period}_{counter}")
        return found


class UsageTally(TenantOwned, Identified):
    """What was used of a limit in one period. There are tallies only where there are limits (decision 20).

    `reserved` is held back for work under way: `used + reserved` never exceeds the limit when something is taken.
    """

    counter = models.CharField(max_length=24, choices=Counter.choices)
    period = models.CharField(max_length=8, choices=Period.choices)
    begins = models.DateField(help_text="First day of the period, UTC.")
    used = models.BigIntegerField(default=0)
    reserved = models.BigIntegerField(default=0)

    class Meta:
        db_table = "usage_tallies"
        verbose_name_plural = "usage tallies"
        default_manager_name = "unscoped"
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "counter", "period", "begins"], name="usage_tallies_once_a_period"
            )
        ]

    def __str__(self) -> str:
        return f"{self.counter}, {self.period} from {self.begins}"


class UsageReservation(TenantOwned, Identified):
    """Part of limits held back for work under way. Whoever deletes the row gives it back, so that happens once.

    `parts` are [tally's id, amount]. One whose worker died is given back after `expires_at`.
    """

    parts = JsonText()
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        db_table = "usage_reservations"
        default_manager_name = "unscoped"

    def __str__(self) -> str:
        return str(self.id)


class UsageDay(TenantOwned, Identified):
    """How much of a counter one day saw, of what is older than `counted_to`; what is newer is counted when it is asked for."""

    counter = models.CharField(max_length=24, choices=Counter.choices)
    day = models.DateField(help_text="UTC.")
    amount = models.BigIntegerField(default=0)
    counted_to = models.DateTimeField()

    class Meta:
        db_table = "usage_days"
        default_manager_name = "unscoped"
        constraints = [models.UniqueConstraint(fields=["organization", "counter", "day"], name="usage_days_once_a_day")]

    def __str__(self) -> str:
        return f"{self.counter} on {self.day}"


class QuotaWarning(TenantOwned, Timestamped):
    """An organization was told that so many percent of a limit are used: once a period. A level counts by the month."""

    counter = models.CharField(max_length=24, choices=Counter.choices)
    period = models.CharField(max_length=8, choices=Period.choices)
    begins = models.DateField(help_text="First day of the period, UTC.")
    percent = models.PositiveSmallIntegerField()
    used = models.BigIntegerField()
    limit = models.BigIntegerField()

    class Meta:
        db_table = "quota_warnings"
        default_manager_name = "unscoped"
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "counter", "period", "begins", "percent"], name="quota_warnings_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.percent} % of {self.counter}, {self.period} from {self.begins}"
