"""Shapes of the webhook door (000, NodeType 'webhook-trigger')."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, RootModel

from api.auterity.bodies.executions import ExecutionStatus
from api.auterity.moments import Moment


class WebhookBody(RootModel[dict[str, Any]]):
    """The data. An object becomes the run's inputs as it stands."""

    model_config = ConfigDict(json_schema_extra={"example": {"lead_id": "42", "email": "customer@example.com"}})


class WebhookAccepted(BaseModel):
    execution_id: UUID
    status: ExecutionStatus
    created_at: Moment


class WebhookAnswer(RootModel[Any]):
    """What the trigger's `response` says, or the run's output; of a repeat or a run that failed, what 202 says."""
