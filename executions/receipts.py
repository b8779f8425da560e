"""One run for one call, however often the call comes: a receipt with the call's key is stored with the run it started."""

from __future__ import annotations

from collections.abc import Callable

from django.db import IntegrityError, transaction

from auterity.kernel.access import Actor
from executions.models import Execution, WebhookReceipt
from workflows.models import Workflow


def once(
    *, actor: Actor, workflow: Workflow, node_id: str, key: str, start: Callable[[], Execution]
) -> tuple[Execution, bool]:
    """Start a run, or find the one that this key's first coming started: (execution, whether it is a repeat).

    An empty key tells nothing apart. Raises what `start` raises.
    """
    receipts = WebhookReceipt.objects.of(actor).filter(workflow=workflow, node_id=node_id, key=key)
    if key and (first := receipts.select_related("execution").first()):
        return first.execution, True
    try:
        with transaction.atomic():
            execution = start()
            if key:
                WebhookReceipt(
                    organization_id=actor.organization_id,
                    workflow=workflow,
                    node_id=node_id,
                    key=key,
                    execution=execution,
                ).save(force_insert=True)
    except IntegrityError:
        first = receipts.select_related("execution").first() if key else None
        if first is None:
            raise
        return first.execution, True
    return execution, False
