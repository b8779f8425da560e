"""Reading: which model answers, which models there are, and those of the organization's own."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet

from ai.errors import CustomModelNotFound
from ai.models import CustomModel
from ai.priced import Priced
from ai.pricing import PRICES
from auterity.kernel.access import Actor, Permission, require
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


def list_custom_models(*, actor: Actor) -> QuerySet[CustomModel]:
    """The organization's own models, newest version of each first."""
    require(actor, Permission.AI_PROCESS)
    return CustomModel.objects.of(actor).select_related("connection").order_by("model_id", "-id")


def custom_model(*, organization_id: UUID, model_id: str, version: str = "") -> CustomModel:
    """One active version; without `version` the newest registered. Raises `CustomModelNotFound`."""
    rows = (
        CustomModel.objects.of(organization_id).select_related("connection").filter(model_id=model_id, is_active=True)
    )
    found = (rows.filter(version=version) if version else rows).order_by("-id").first()
    if not isinstance(found, CustomModel):
        raise CustomModelNotFound(model_id, version)
    return found
