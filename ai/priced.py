"""An `LlmPort` that adds what a call costs. Providers count tokens; only this app knows prices."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ai.pricing import cost_usd
from engine.ports import Completion, LlmPort, Prompt


@dataclass(frozen=True, slots=True)
class Priced:
    """`LlmPort` around another one."""

    port: LlmPort

    def complete(self, prompt: Prompt, *, timeout: float) -> Completion:
        """As the inner port, with `usage.cost_usd` estimated. Raises what that raises."""
        completion = self.port.complete(prompt, timeout=timeout)
        usage = completion.usage
        cost = cost_usd(usage.model, usage.prompt_tokens, usage.completion_tokens)
        return replace(completion, usage=replace(usage, cost_usd=cost))
