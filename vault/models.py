"""Each organization's data keys. What is encrypted under one stays readable exactly as long as its row exists."""

from __future__ import annotations

from django.db import models

from auterity.kernel.models import Identified
from auterity.kernel.tenancy import TenantOwned


class DataKey(TenantOwned, Identified):
    """One key of one organization, wrapped. The highest number that is not retired seals; all of them open."""

    number = models.PositiveIntegerField()
    wrapped = models.BinaryField(editable=False)
    server_key = models.CharField(max_length=8, help_text="The id of the server key that this one is wrapped under.")
    retired_at = models.DateTimeField(null=True, blank=True, help_text="Seals nothing any more since then.")

    class Meta:
        db_table = "data_keys"
        default_manager_name = "unscoped"
        constraints = [models.UniqueConstraint(fields=["organization", "number"], name="data_keys_number")]

    def __str__(self) -> str:
        return f"{self.organization_id} {self.number}"
