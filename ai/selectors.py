"""Reading: which model answers, and which models there are."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings

from ai.priced import Priced
from ai.pricing import PRICES
from engine.ports import LlmPort
from integrations.registry import PROVIDERS


@dataclass(frozen=True, slots=True)
class KnownModel:
    """A model a client may name. `available`: a call with it would reach a provider as this server is set up."""

    id: str
    provider: str
    available: bool


def model_configured() -> bool:
    """Whether a real model is set up; otherwise the offline rules answer."""
    return bool(settings.OPENAI_API_KEY or settings.OPENAI_BASE_URL)


def llm_port() -> LlmPort:
    """The OpenAI-compatible provider when OPENAI_API_KEY or OPENAI_BASE_URL is set, else the offline rules."""
    if not model_configured():
        offline: LlmPort = PROVIDERS.get("llm", "offline").create({})
        return offline
    config = {
        "api_key": settings.OPENAI_API_KEY,
        "base_url": settings.OPENAI_BASE_URL,
        "default_model": settings.DEFAULT_MODEL,
    }
    return Priced(PROVIDERS.get("llm", "openai-compatible").create(config))


def known_models() -> list[KnownModel]:
    """The offline rules, the server's default model and OpenAI's, by name.

    What another server than OpenAI offers is not known here, so there only the default model counts as available.
    """
    own = settings.OPENAI_BASE_URL != ""
    openai = {name: KnownModel(name, "openai", model_configured() and not own) for name in PRICES}
    if settings.DEFAULT_MODEL:
        provider = "openai-compatible" if own else "openai"
        openai[settings.DEFAULT_MODEL] = KnownModel(settings.DEFAULT_MODEL, provider, model_configured())
    offline = KnownModel("offline-rules-1", "offline", True)
    return sorted([*openai.values(), offline], key=lambda each: each.id)
