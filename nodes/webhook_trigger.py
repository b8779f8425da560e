"""`webhook-trigger`: a run that begins with a call from outside (`schemas/node_configs.yaml`).

The door itself (authentication, duplicates, the answer) is `executions.incoming`; it reads this configuration and puts what
it was given into the execution's context, under `webhook`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from engine.expressions import ExpressionProblem, compile_template
from engine.node import Bare, Done, Literal_, NodeConfig, Step, node

_LITERAL: dict[str, Any] = {"x-literal": True}


class Config(NodeConfig):
    authentication: Annotated[
        Literal["none", "token", "hmac", "standard-webhooks"], Field(json_schema_extra=_LITERAL)
    ] = Field(
        default="none",
        description="How a caller proves itself: not at all, by a token, by signing the body, or by signing id, time and body as "
        "Standard Webhooks says.",
    )
    secret: Literal_ = Field(
        default="",
        repr=False,
        description="The token or signing key; whsec_… is a Standard Webhooks key in base64. It can be written, not read back; "
        "while it is empty no call is let in.",
        json_schema_extra={"x-literal": True, "x-secret": True, "writeOnly": True},
    )
    signature_header: Literal_ = Field(
        default="X-Signature-256", description="The header with the body's hex HMAC-SHA256."
    )
    timestamp_header: Literal_ = Field(default="", description="The header with the time of sending, if one is signed.")
    tolerance_seconds: Annotated[int, Field(json_schema_extra=_LITERAL)] = Field(
        default=300, ge=0, le=86_400, description="How far the time of sending may be from now, before or after."
    )
    deduplicate: Bare | None = Field(
        default=None,
        description="An expression over body, headers and query; a second call with the same value starts nothing.",
    )
    respond: Annotated[Literal["immediately", "when_finished"], Field(json_schema_extra=_LITERAL)] = Field(
        default="immediately", description="Whether the caller waits for the run's end."
    )
    response: Annotated[Any, Field(json_schema_extra=_LITERAL)] = Field(
        default=None,
        description="What the caller is answered when it waits: a template in which input is the run's output.",
    )


def check(config: Config) -> list[tuple[str, str]]:
    """The answer is a template of its own, filled in when the run has ended."""
    try:
        compile_template(config.response)
    except ExpressionProblem as problem:
        return [("response", problem.message)]
    return []


@node("webhook-trigger", title="Webhook", config=Config, trigger=True, check=check)
def run(config: Config, step: Step) -> Done:
    """Begins the workflow when its address is called. Run by hand, the inputs stand for the body."""
    call = step.context.get("webhook")
    if not isinstance(call, Mapping):
        return Done({"body": dict(step.inputs), "headers": {}, "query": {}, "method": "POST"})
    return Done({name: call.get(name) for name in ("body", "headers", "query", "method")})
