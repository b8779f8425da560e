"""`/api/usage/quota`: what the organization may use, and what it has used (000, Usage Quotas)."""

from __future__ import annotations

from accounts import quotas
from accounts.errors import NotAuthenticated
from api.auterity.bodies import usage as bodies
from api.auterity.dialect import AuterityView
from api.base import Answer, Call, operation
from auterity.kernel.access import Permission
from auterity.kernel.errors import InvalidInput, PermissionDenied


class UsageQuotaView(AuterityView):
    @operation(
        needs=Permission.ORGANIZATION_READ,
        id="usage_quota_get",
        summary="Limits and use",
        query=bodies.UsageQuery,
        answers={200: bodies.UsageQuotaBody},
        raises=[NotAuthenticated, PermissionDenied, InvalidInput],
    )
    def get(self, call: Call[None]) -> Answer:
        """Of the present day, month or year, UTC. The platform's operators set the limits; one that they did not set is
        9007199254740991. A run that a step starts counts as part of the execution that it belongs to."""
        found = quotas.current(actor=call.actor, period=call.query.period)
        return Answer(
            bodies.UsageQuotaBody(
                organization_id=found.organization_id,
                period=found.period,
                limits=bodies.UsageLimits.model_validate(found.limits),
                current_usage=bodies.UsageCounts.model_validate(found.current_usage),
                reset_date=found.reset_date,
            )
        )
