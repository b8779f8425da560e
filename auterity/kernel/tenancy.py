"""Whose rows a query sees. A tenant's table has one public door, `objects.of(organization)`; anything else raises."""

from __future__ import annotations

from typing import Any, ClassVar, NoReturn, Protocol, TypeVar
from uuid import UUID

from django.db import models

_Row = TypeVar("_Row", bound=models.Model)


class Tenant(Protocol):
    """Anything that acts for one organization, such as an `Actor`."""

    @property
    def organization_id(self) -> UUID: ...


class TenancyError(RuntimeError):
    """A query on a tenant's table named no tenant. A defect of the caller, never of a client."""


class TenantManager(models.Manager[_Row]):
    """Fails closed: the only way to rows is `of`."""

    def of(self, tenant: Tenant | UUID) -> models.QuerySet[_Row]:
        """Rows of one organization. `tenant` is an Actor or the organization's id."""
        organization_id = tenant if isinstance(tenant, UUID) else tenant.organization_id
        return super().get_queryset().filter(organization_id=organization_id)

    def get_queryset(self) -> NoReturn:
        raise TenancyError(
            f"{self.model.__name__}.objects was asked without a tenant. Use {self.model.__name__}.objects.of(actor), "
            f"or {self.model.__name__}.unscoped in the machine room and the operators' admin."
        )


class TenantOwned(models.Model):
    """A row that belongs to one organization. `unscoped` is for the machine room, migrations and the admin only."""

    organization = models.ForeignKey("accounts.Organization", on_delete=models.PROTECT, related_name="+")

    unscoped: ClassVar[models.Manager[Any]] = models.Manager()
    objects: ClassVar[TenantManager[Any]] = TenantManager()

    class Meta:
        abstract = True
