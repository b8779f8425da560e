"""The tables behind who may do what: roles that an organization makes itself, and API keys."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Lower

from auterity.kernel.models import JsonText, Timestamped
from auterity.kernel.tenancy import TenantOwned

ROLE_NAME_LENGTH = 60
KEY_NAME_LENGTH = 100


class CustomRole(TenantOwned, Timestamped):
    """A named set of permissions, given to members in place of a built-in role. A change counts from the next request."""

    name = models.CharField(max_length=ROLE_NAME_LENGTH)
    description = models.CharField(max_length=200, blank=True, default="")
    permissions = JsonText(help_text="A sorted list of names of the one permission list.")
    made_by = models.ForeignKey("accounts.User", on_delete=models.SET_NULL, null=True, related_name="+")

    class Meta:
        db_table = "custom_roles"
        default_manager_name = "unscoped"
        constraints = [models.UniqueConstraint("organization", Lower("name"), name="custom_roles_name_once")]

    def __str__(self) -> str:
        return self.name


class ApiKey(TenantOwned, Timestamped):
    """A long-lived credential of a member or of a service account. Only its digest is stored.

    What it opens is what it was made for (`scopes`) and what `user` may still do, both.
    """

    user = models.ForeignKey(
        "accounts.User", on_delete=models.CASCADE, related_name="api_keys", help_text="In whose name it acts."
    )
    made_by = models.ForeignKey("accounts.User", on_delete=models.SET_NULL, null=True, related_name="+")
    name = models.CharField(max_length=KEY_NAME_LENGTH)
    digest = models.CharField(max_length=64, unique=True)
    last_four = models.CharField(max_length=4)
    scopes = JsonText(help_text="A sorted list of names of the one permission list.")
    networks = JsonText(default=list, help_text="Where it may be used from, in CIDR notation; empty for everywhere.")
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True, help_text="To the minute.")
    revoked_at = models.DateTimeField(null=True, blank=True)
    revoke_reason = models.CharField(max_length=64, blank=True, default="")

    class Meta:
        db_table = "api_keys"
        default_manager_name = "unscoped"
        indexes = [models.Index(fields=["organization", "user"], name="api_keys_of")]

    def __str__(self) -> str:
        return f"{self.name} …{self.last_four}"
