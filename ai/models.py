"""The ledger of AI calls, and the models of the organizations' own."""

from __future__ import annotations

from django.db import models

from auterity.kernel.models import Identified, JsonText, Timestamped
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


class CustomModel(TenantOwned, Timestamped):
    """One version of a model that an organization registered (000, "Custom AI Model Integration").

    It is asked through its connection, which holds the address and the key; without one it can no longer be asked.
    """

    model_id = models.CharField(max_length=100)
    version = models.CharField(max_length=50)
    description = models.TextField(null=True, blank=True)
    metadata = JsonText(null=True, blank=True)
    is_active = models.BooleanField(default=True)
    connection = models.ForeignKey(
        "integrations.Connection", on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )

    class Meta:
        db_table = "custom_models"
        default_manager_name = "unscoped"
        constraints = [
            models.UniqueConstraint(fields=["organization", "model_id", "version"], name="custom_models_version")
        ]

    def __str__(self) -> str:
        return f"{self.model_id} {self.version}"
