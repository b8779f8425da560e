"""The ledger of AI calls."""

from __future__ import annotations

from django.db import models

from auterity.kernel.models import Identified
from auterity.kernel.tenancy import TenantOwned


class AiUsage(TenantOwned, Identified):
    """What one AI call consumed. Written once, never changed; `execution_id` is empty for a call outside a workflow."""

    execution_id = models.UUIDField(null=True, blank=True, db_index=True)
    node_id = models.CharField(max_length=255, blank=True, default="")
    provider = models.CharField(max_length=100)
    model = models.CharField(max_length=200)
    prompt_tokens = models.PositiveIntegerField()
    completion_tokens = models.PositiveIntegerField()
    cost_usd = models.DecimalField(max_digits=14, decimal_places=6)
    duration_ms = models.FloatField()

    class Meta:
        db_table = "ai_usage"
        verbose_name = verbose_name_plural = "AI usage"
        default_manager_name = "unscoped"
        indexes = [models.Index(fields=["organization", "created_at"], name="ai_usage_by_time")]

    def __str__(self) -> str:
        return f"{self.provider} {self.model}"
