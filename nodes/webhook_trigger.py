"""`webhook-trigger`: a run that begins with a call from outside (`schemas/node_configs.yaml`).

The door itself (authentication, duplicates, the answer) is `workflows`' part; it reads this configuration.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from engine.node import Bare, Done, Literal_, NodeConfig, Step, node


class Config(NodeConfig):
    authentication: Literal["none", "token", "hmac"] = Field(
        default="none", description="How a caller proves itself: not at all, by a token, or by signing the body."
    )
    secret: Literal_ = Field(
        default="",
        repr=False,
        description="The token or signing key. It can be written and not read back; left empty, one is made.",
        json_schema_extra={"x-literal": True, "writeOnly": True},
    )
    signature_header: Literal_ = Field(
        default="X-Signature-256", description="The header with the body's hex HMAC-SHA256."
    )
    timestamp_header: Literal_ = Field(default="", description="The header with the time of sending, if one is signed.")
    tolerance_seconds: int = Field(default=300, ge=0, le=86_400, description="How old a signed call may be.")
    deduplicate: Bare | None = Field(
        default=None, description="An expression; a second call with the same value starts nothing."
    )
    respond: Literal["immediately", "when_finished"] = Field(
        default="immediately", description="Whether the caller waits for the run's end."
    )
    response: Any = Field(default=None, description="What the caller is answered when it waits; a template.")


@node("webhook-trigger", title="Webhook", config=Config, trigger=True)
def run(config: Config, step: Step) -> Done:
    """Begins the workflow when its address is called. Run by hand, the inputs stand for the body."""
    return Done({"body": dict(step.inputs), "headers": {}, "query": {}, "method": "POST"})
