"""Who acts on the operators' site."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest

from accounts.models import User
from auterity.kernel.access import Actor
from executions import services


def operator_in(request: HttpRequest, organization_id: UUID) -> Actor:
    """Who is signed in to the operators' site, acting inside one organization."""
    assert isinstance(request.user, User)  # noqa: S101  States a fact to the type checker: admin_view let nobody else in.
    return services.operator(user=request.user, organization_id=organization_id)
