"""What nodes that ask a language model share: whom they ask, in which order, and what they hand on."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from engine.node import Done, Failed, Outcome, Step
from engine.output_schema import problems_of
from engine.ports import Completion, LlmPort, Prompt, Rejected, Unavailable


def model_port(step: Step, connection_id: str | None) -> LlmPort:
    """The model behind a stored connection, else the server's own. Raises Rejected for an id that is none."""
    return step.ports.connections.llm(connection_id) if connection_id else step.ports.llm


def complete(step: Step, port: LlmPort, prompts: Sequence[Prompt]) -> Completion:
    """The first answer among the prompts, one a model, all within the step's time.

    Raises the last failure, and Rejected for a schema that is none.
    """
    if wrong := [told for each in prompts if each.schema for told in problems_of(each.schema)]:
        raise Rejected(f"response_schema cannot be used. {wrong[0]}")
    deadline = time.monotonic() + step.timeout
    for prompt in prompts[:-1]:
        try:
            return port.complete(prompt, timeout=deadline - time.monotonic())
        except Unavailable as failure:
            if time.monotonic() >= deadline:
                raise
            step.log(
                "warning",
                "A model is unavailable; the next one is asked.",
                model=prompt.model,
                code=failure.code,
            )
    return port.complete(prompts[-1], timeout=deadline - time.monotonic())


def answered(completion: Completion, asked_for: str, **more: Any) -> Outcome:
    """What a node hands on, with `more` of its own. `asked_for` names the setting that wants data; empty where text is enough."""
    usage = completion.usage
    if asked_for and completion.data is None:
        return Failed(
            "rejected",
            f"The model's answer was not the JSON that {asked_for} asks for. Say in the prompt what each field means, "
            "give more max_tokens, or use another model.",
            {
                "model": usage.model,
                "provider": usage.provider,
                "text": completion.text[:500],
                "cost_usd": usage.cost_usd,
            },
        )
    return Done(
        {
            "text": completion.text,
            "data": completion.data,
            "model": usage.model,
            "provider": usage.provider,
            "usage": {
                "prompt_tokens": usage.prompt_tokens,
                "completion_tokens": usage.completion_tokens,
                "total_tokens": usage.total_tokens,
            },
            "cost_estimate": usage.cost_usd,
            **more,
        },
        usage=usage,
    )
