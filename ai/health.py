"""Whether the AI services that this server is set up with answer. Asking costs nothing: it lists their models."""

from __future__ import annotations

import time
from dataclasses import dataclass

from django.conf import settings

from ai.selectors import model_configured
from engine.ports import PortFailure
from integrations.connection_types import CONNECTION_TYPES

OFFICIAL = "https://api.openai.com/v1"


@dataclass(frozen=True, slots=True)
class AiService:
    """`ms` is how long the answer took; `problem` a sentence, empty where it answered."""

    name: str
    ms: float
    problem: str = ""


def ask_services(*, timeout: float) -> list[AiService]:
    """Each service of the platform's own, one after the other. Never raises. The offline rules always answer."""
    if not model_configured():
        return [AiService("offline", 0.0)]
    address = settings.OPENAI_BASE_URL or OFFICIAL
    port = CONNECTION_TYPES.get("openai").create(
        {"base_url": address, "default_model": settings.DEFAULT_MODEL}, {"api_key": settings.OPENAI_API_KEY or "none"}
    )
    started = time.perf_counter()
    try:
        port.check(timeout=timeout)
        problem = ""
    except PortFailure as failure:
        problem = failure.message
    except Exception as error:
        problem = f"It could not be asked ({type(error).__name__})."
    name = "openai" if address == OFFICIAL else "openai-compatible"
    return [AiService(name, round((time.perf_counter() - started) * 1000, 1), problem)]
