"""Writing: the usage ledger."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from uuid import UUID

from ai.models import AiUsage
from engine.ports import Usage


def record_usage(*, organization_id: UUID, usages: Sequence[tuple[UUID | None, str, Usage]]) -> None:
    """Enter AI calls as (execution id, node id, usage) in one statement, inside the caller's transaction."""
    AiUsage.unscoped.bulk_create(
        AiUsage(
            organization_id=organization_id,
            execution_id=execution_id,
            node_id=node_id,
            provider=usage.provider,
            model=usage.model[:200],
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
            cost_usd=Decimal(str(usage.cost_usd)).quantize(Decimal("0.000001")),
            duration_ms=usage.duration_ms,
        )
        for execution_id, node_id, usage in usages
    )
