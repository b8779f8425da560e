"""An `LlmPort` that asks the organization's policy before anything is sent (`accounts.policies`, ai_providers)."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from accounts import policies
from ai.errors import ProviderNotAllowed
from engine.ports import Completion, LlmPort, Prompt, Rejected
from integrations.connected import looking_up

OFFLINE = "offline"  # sends nothing to anybody


@dataclass(frozen=True, slots=True)
class AllowedLlm:
    """Around the port of a named provider. Asked at each call, so that a change counts from then on."""

    port: LlmPort
    provider: str
    organization_id: UUID

    def complete(self, prompt: Prompt, *, timeout: float) -> Completion:
        """Raises `Rejected` where the policy names providers and this is none of them, or what the inner port raises."""
        with looking_up():
            known = is_allowed(self.organization_id, self.provider)
        if not known:
            raise Rejected(ProviderNotAllowed.sentence, provider=self.provider)
        return self.port.complete(prompt, timeout=timeout)


def is_allowed(organization_id: UUID, provider: str) -> bool:
    """Whether prompts may be sent to a provider."""
    named = policies.of(organization_id).ai_providers
    return provider == OFFLINE or not named or provider.lower() in named


def check(organization_id: UUID, provider: str) -> None:
    """Raises `ProviderNotAllowed`."""
    if not is_allowed(organization_id, provider):
        raise ProviderNotAllowed(provider=provider)
