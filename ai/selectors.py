"""Reading: which model answers, which models there are, and those of the organization's own."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from django.conf import settings
from django.db.models import Count, F, QuerySet, Sum
from django.db.models.functions import TruncDate

from ai.errors import CustomModelNotFound
from ai.models import AiUsage, CustomModel
from ai.priced import Priced
from ai.pricing import PRICES
from auterity.kernel.access import Actor, Permission, require
from engine.ports import LlmPort
from integrations.providers.llm.openai_compatible import OpenAiCompatible
from integrations.registry import PROVIDERS


@dataclass(frozen=True, slots=True)
class KnownModel:
    """A model a client may name. `available`: a call with it would reach a provider as this server is set up.

    `connection_id` is the organization's own connection that it is the default model of.
    """

    id: str
    provider: str
    available: bool
    connection_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class ServerModel:
    """The provider that the server's settings name."""

    port: OpenAiCompatible
    provider: str


def model_configured() -> bool:
    """Whether a real model is set up; otherwise the offline rules answer."""
    return bool(settings.OPENAI_API_KEY or settings.OPENAI_BASE_URL)


def llm_port() -> LlmPort:
    """The OpenAI-compatible provider when OPENAI_API_KEY or OPENAI_BASE_URL is set, else the offline rules."""
    if not model_configured():
        offline: LlmPort = PROVIDERS.get("llm", "offline").create({})
        return offline
    return Priced(server_model().port)


def provider_name() -> str:
    """The name of what `llm_port` is, as policies name it."""
    if not model_configured():
        return "offline"
    return "openai-compatible" if settings.OPENAI_BASE_URL else "openai"


def server_model() -> ServerModel:
    """The OpenAI-compatible provider of the settings, whether or not they name one."""
    config = {
        "api_key": settings.OPENAI_API_KEY,
        "base_url": settings.OPENAI_BASE_URL,
        "default_model": settings.DEFAULT_MODEL,
    }
    port = PROVIDERS.get("llm", "openai-compatible").create(config)
    return ServerModel(port, "openai-compatible" if settings.OPENAI_BASE_URL else "openai")


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


def calls_made(organization_id: UUID, since: dt.datetime, until: dt.datetime | None) -> int:
    """AI calls in the organization's ledger from one moment to before another."""
    return _entered(organization_id, since, until).count()


def tokens_taken(organization_id: UUID, since: dt.datetime, until: dt.datetime | None) -> int:
    """Tokens of the same."""
    total = Sum(F("prompt_tokens") + F("completion_tokens"))
    return int(_entered(organization_id, since, until).aggregate(total=total)["total"] or 0)


def _entered(organization_id: UUID, since: dt.datetime, until: dt.datetime | None) -> QuerySet[AiUsage]:
    rows: QuerySet[AiUsage] = AiUsage.objects.of(organization_id).filter(created_at__gte=since)
    return rows if until is None else rows.filter(created_at__lt=until)


@dataclass(frozen=True, slots=True)
class UsageSum:
    """What one model consumed on one day, UTC."""

    date: dt.date
    provider: str
    model: str
    calls: int
    prompt_tokens: int
    completion_tokens: int
    cost_usd: Decimal


def usage_sums(*, actor: Actor, since: dt.datetime, until: dt.datetime) -> list[UsageSum]:
    """Calls from `since` up to `until`, added up by day and model, the newest day first. Needs metrics:read."""
    require(actor, Permission.METRICS_READ)
    rows = AiUsage.objects.of(actor).filter(created_at__gte=since, created_at__lt=until)
    sums = (
        rows.annotate(date=TruncDate("created_at", tzinfo=dt.UTC))
        .values("date", "provider", "model")
        .annotate(
            calls=Count("pk"),
            prompt=Sum("prompt_tokens"),
            completion=Sum("completion_tokens"),
            cost=Sum("cost_usd"),
        )
        .order_by("-date", "provider", "model")
    )
    return [
        UsageSum(
            date=each["date"],
            provider=each["provider"],
            model=each["model"],
            calls=each["calls"],
            prompt_tokens=each["prompt"],
            completion_tokens=each["completion"],
            cost_usd=each["cost"],
        )
        for each in sums
    ]


def list_custom_models(*, actor: Actor) -> QuerySet[CustomModel]:
    """The organization's own models, newest version of each first."""
    require(actor, Permission.AI_PROCESS)
    return CustomModel.objects.of(actor).select_related("connection").order_by("model_id", "-id")


def get_custom_model(*, actor: Actor, model_id: str, version: str) -> CustomModel:
    """One version, active or not. Raises `CustomModelNotFound`."""
    found = list_custom_models(actor=actor).filter(model_id=model_id, version=version).first()
    if not isinstance(found, CustomModel):
        raise CustomModelNotFound(model_id, version)
    return found


def custom_model(*, organization_id: UUID, model_id: str, version: str = "") -> CustomModel:
    """One active version; without `version` the newest registered. Raises `CustomModelNotFound`."""
    rows = (
        CustomModel.objects.of(organization_id).select_related("connection").filter(model_id=model_id, is_active=True)
    )
    found = (rows.filter(version=version) if version else rows).order_by("-id").first()
    if not isinstance(found, CustomModel):
        raise CustomModelNotFound(model_id, version)
    return found
