"""How long an organization's records are kept: `/api/organization/retention`."""

from __future__ import annotations

from accounts.errors import NotAuthenticated
from api.auterity.bodies import retention as bodies
from api.auterity.dialect import AuterityView
from api.base import Answer, Call, operation
from artefacts import selectors, services
from artefacts.models import RetentionRules
from auterity.kernel.access import Permission
from auterity.kernel.errors import InvalidInput, PermissionDenied


class RetentionView(AuterityView):
    @operation(
        needs=Permission.ORGANIZATION_READ,
        id="retention_get",
        summary="How long records are kept",
        answers={200: bodies.Retention},
        raises=[NotAuthenticated, PermissionDenied],
    )
    def get(self, call: Call[None]) -> Answer:
        """The organization's own rules, or the defaults: executions 90 days, receipts 30."""
        return Answer(_rules(selectors.retention(actor=call.actor)))

    @operation(
        needs=Permission.ORGANIZATION_MANAGE,
        id="retention_update",
        summary="Say how long records are kept",
        body=bodies.Retention,
        answers={200: bodies.Retention},
        raises=[NotAuthenticated, PermissionDenied, InvalidInput],
    )
    def put(self, call: Call[bodies.Retention]) -> Answer:
        """Fewer days delete what is older within hours, for good."""
        rules = services.set_retention(
            actor=call.actor,
            execution_days=call.body.execution_days,
            receipt_days=call.body.receipt_days,
            upload_days=call.body.upload_days,
        )
        return Answer(_rules(rules))


def _rules(rules: RetentionRules) -> bodies.Retention:
    return bodies.Retention(
        execution_days=rules.execution_days, receipt_days=rules.receipt_days, upload_days=rules.upload_days
    )
