"""What people choose for themselves, in each organization they are in."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from auterity.kernel.models import JsonText, Timestamped
from auterity.kernel.tenancy import TenantOwned


class PreferenceSheet(TenantOwned, Timestamped):
    """One person's choices in one organization, by key (`preferences.keys`); what is not chosen is as the product has it.

    `version` rises with every change, and `stamps` hold the version in which each key changed last.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    version = models.PositiveIntegerField(default=1)
    chosen = JsonText(default=dict)
    stamps = JsonText(default=dict)

    class Meta:
        db_table = "preference_sheets"
        default_manager_name = "unscoped"
        constraints = [models.UniqueConstraint(fields=["organization", "user"], name="preference_sheets_person")]

    def __str__(self) -> str:
        return f"{self.user_id} in {self.organization_id}"
