"""One question to a language model, outside of any workflow (000, "OpenAI API Integration")."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from ai.catalog import Chosen, choose
from ai.errors import AiRefused, AiUnavailable
from ai.metered import expected, metered
from ai.services import record_usage
from auterity.kernel.access import Actor, Permission, require
from auterity.kernel.models import uuid7
from engine.ports import Completion, PortFailure, Prompt, Unavailable

SECONDS = 60.0
RETRY_AFTER = 300  # seconds, where the provider names no time of its own (000's example)
_KEY_REFUSED = (401, 403)


@dataclass(frozen=True, slots=True)
class Question:
    """000, AIProcessingRequest. `context` is what the model should know beside the prompt."""

    model: str
    prompt: str
    max_tokens: int | None = None
    temperature: float | None = None
    functions: Sequence[Mapping[str, Any]] = ()
    function_call: str = "auto"
    context: Sequence[str] = ()
    connection_id: UUID | None = None


def process(*, actor: Actor, question: Question) -> Completion:
    """Ask once, and enter the call into the ledger. Nothing of the database is held while the model thinks.

    Raises `InvalidInput` for a model that nobody here has, `AiQuotaExceeded`, `AiUnavailable` (with `details.provider`) or
    `AiRefused`.
    """
    require(actor, Permission.AI_PROCESS)
    chosen = choose(actor=actor, model=question.model, connection_id=question.connection_id)
    prompt = Prompt(
        key=f"process/{uuid7()}",
        text=question.prompt,
        system="\n\n".join(question.context),
        model=chosen.model,
        temperature=question.temperature,
        max_tokens=question.max_tokens,
        functions=question.functions,
        function_call=question.function_call,
    )
    try:
        with metered(actor.organization_id, tokens=expected(prompt), timeout=SECONDS) as meter:
            completion = chosen.port.complete(prompt, timeout=SECONDS)
            meter.usage = completion.usage
    except PortFailure as failure:
        raise _refusal(failure, chosen) from None
    record_usage(organization_id=actor.organization_id, usages=[(None, "", completion.usage)])
    return completion


def _refusal(failure: PortFailure, chosen: Chosen) -> AiUnavailable | AiRefused:
    if isinstance(failure, Unavailable) or failure.details.get("status") in _KEY_REFUSED:
        wait = failure.details.get("retry_after")
        seconds = RETRY_AFTER if wait is None else max(1, round(float(wait)))
        return AiUnavailable(failure.message, provider=chosen.provider, retry_after=seconds)
    return AiRefused(failure.message, provider=chosen.provider)
