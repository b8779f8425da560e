"""AI calls under the organization's quota: what a call will probably take is held back before it, and settled after it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID

import orjson

from accounts import quotas
from accounts.errors import QuotaExceeded
from accounts.limits import Counter
from engine.ports import Completion, Inference, Inferred, LlmPort, ModelsPort, Prompt, Unavailable, Usage
from integrations.connected import looking_up

CHARACTERS_A_TOKEN = 4
ANSWER_TOKENS = 500  # expected where the prompt sets no bound
IMAGE_TOKENS = 800
SPARE_SECONDS = 60.0  # for what a call does besides waiting, before its reservation is given back


@dataclass(slots=True)
class Meter:
    """`usage` is what the call really took; it stays None where it was not made or failed."""

    usage: Usage | None = None


@contextmanager
def metered(organization_id: UUID, *, tokens: int, timeout: float) -> Iterator[Meter]:
    """Around one call that will take about so many tokens. Raises `AiQuotaExceeded` before it.

    A call that failed took nothing. One whose process died is given back once it must be over.
    """
    with looking_up():
        held = quotas.reserve(
            organization_id=organization_id,
            wanted={Counter.AI_API_CALLS: 1, Counter.AI_TOKENS: tokens},
            seconds=timeout + SPARE_SECONDS,
        )
    meter = Meter()
    try:
        yield meter
    finally:
        if held.id is not None:
            with looking_up():
                quotas.settle(held, _taken(meter.usage))


@dataclass(frozen=True, slots=True)
class MeteredLlm:
    """`LlmPort` around another one. A used up quota fails the step: trying again helps once the quota begins anew."""

    port: LlmPort
    organization_id: UUID

    def complete(self, prompt: Prompt, *, timeout: float) -> Completion:
        try:
            with metered(self.organization_id, tokens=expected(prompt), timeout=timeout) as meter:
                completion = self.port.complete(prompt, timeout=timeout)
                meter.usage = completion.usage
                return completion
        except QuotaExceeded as error:
            raise Unavailable(error.message, **error.details) from None


@dataclass(frozen=True, slots=True)
class MeteredModels:
    """The same for models of the organization's own."""

    port: ModelsPort
    organization_id: UUID

    def infer(self, inference: Inference, *, timeout: float) -> Inferred:
        try:
            return infer_metered(self.port, inference, organization_id=self.organization_id, timeout=timeout)
        except QuotaExceeded as error:
            raise Unavailable(error.message, **error.details) from None


def infer_metered(port: ModelsPort, inference: Inference, *, organization_id: UUID, timeout: float) -> Inferred:
    """Ask a model under the quota. Raises `AiQuotaExceeded` besides what the port raises."""
    size = len(orjson.dumps(dict(inference.input), default=str)) // CHARACTERS_A_TOKEN
    with metered(organization_id, tokens=size, timeout=timeout) as meter:
        inferred = port.infer(inference, timeout=timeout)
        meter.usage = inferred.usage
        return inferred


def expected(prompt: Prompt) -> int:
    """About how many tokens a call will take, its answer too."""
    asked = (len(prompt.text) + len(prompt.system)) // CHARACTERS_A_TOKEN + len(prompt.images) * IMAGE_TOKENS
    return asked + (prompt.max_tokens or ANSWER_TOKENS)


def _taken(usage: Usage | None) -> dict[Counter, int]:
    return {} if usage is None else {Counter.AI_API_CALLS: 1, Counter.AI_TOKENS: usage.total_tokens}
