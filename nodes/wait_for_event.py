"""`wait-for-event`: the run goes on when another system reports something (`schemas/node_configs.yaml`).

An event that comes while the run is under way but has not reached this step yet counts too.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from engine.expressions import ExpressionError
from engine.node import Bare, Done, NodeConfig, Outcome, Step, node
from engine.waiting import Question, Reason, Wait, Wake

RECEIVED, EXPIRED = "received", "expired"


class Config(NodeConfig):
    event: Annotated[str, Field(min_length=1, max_length=200)] = Field(
        description="The event's name, such as payment.received; it is sent to POST /api/events."
    )
    match: Bare | None = Field(
        default=None,
        description="A condition on the event, such as event.order_id == inputs.order_id. Without it every one counts.",
    )
    expires_in_seconds: int | None = Field(
        default=None, ge=1, le=366 * 86_400, description="How long it is waited for; then the step leaves by expired."
    )


def resume(config: Config, step: Step, wake: Wake) -> Outcome:
    for answer in wake.answers:
        if config.match is None or _matches(config.match, answer.data, step):
            return Done(
                {"event": config.event, "id": answer.key, "received_at": answer.at, **answer.data}, port=RECEIVED
            )
    if wake.expired:
        return Done({"event": config.event, "waited_seconds": round(wake.waited, 3)}, port=EXPIRED)
    return Wait(Reason.EVENT, wake.left)


def _matches(condition: str, event: object, step: Step) -> bool:
    """A condition that cannot be told for an event, such as one over a key it lacks, does not hold for it."""
    try:
        return step.evaluate(condition, event=event) is True
    except ExpressionError as problem:
        step.log("debug", f"The condition could not be told for an event: {problem.message}")
        return False


def sample(config: Config) -> Done:
    """As if the event had been received, without any data of its own."""
    return Done({"event": config.event, "id": "sample", "received_at": "2026-01-01T09:00:00Z"}, port=RECEIVED)


@node(
    "wait-for-event",
    title="Wait for an event",
    config=Config,
    outputs=(RECEIVED, EXPIRED),
    resume=resume,
    sample=sample,
)
def run(config: Config, step: Step) -> Outcome:
    """Waits until an event of this name, for which the condition holds, is received."""
    asked = Question(title=f"Event {config.event}", event=config.event)
    return Wait(Reason.EVENT, config.expires_in_seconds, question=asked)
