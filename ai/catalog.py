"""Which models an organization may name in a call, and the provider that answers each.

There are the organization's own connections (by their default model), what the server's provider offers, the models of the
price list, and the offline rules. Without a provider the offline rules answer for the models of the price list, as they do in
workflows, and say so.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from django.core.cache import cache

from ai.allowed import check
from ai.priced import Priced
from ai.pricing import PRICES
from ai.selectors import KnownModel, known_models, llm_port, model_configured, server_model
from auterity.kernel.access import Actor, Permission, require
from auterity.kernel.errors import InvalidInput
from engine.ports import LlmPort, PortFailure, Rejected
from integrations.connected import connected, type_of
from integrations.connection_types import CONNECTION_TYPES
from integrations.models import Connection
from integrations.providers.llm.offline import MODEL as OFFLINE
from integrations.registry import PROVIDERS

LISTED_FOR = 60  # seconds that a provider's list of models is believed
REFUSED_FOR = 15  # seconds before one that did not answer is asked again
LISTING_SECONDS = 4.0
NAMED = 30  # models named to whoever asks for an unknown one


@dataclass(frozen=True, slots=True)
class Chosen:
    """The port that answers, what it is to be asked for, and what to call the provider in a refusal."""

    port: LlmPort
    model: str
    provider: str


def list_models(*, actor: Actor) -> list[KnownModel]:
    """Every model the organization may name, by name. `available`: its provider is set up and was reached lately."""
    require(actor, Permission.AI_PROCESS)
    found = {each.id: each for each in known_models()}
    if model_configured():
        offered = offered_models()
        provider = server_model().provider
        for name in {*found, *(offered or ())} - {OFFLINE}:
            known = name in found and found[name].provider
            found[name] = KnownModel(name, known or provider, _offers(offered, name))
    for row in _own(actor.organization_id):
        name = row.config["default_model"]
        found[name] = KnownModel(name, row.type, available=True, connection_id=row.id)
    return sorted(found.values(), key=lambda each: each.id)


def choose(*, actor: Actor, model: str, connection_id: UUID | None = None) -> Chosen:
    """The provider that answers for a model: the named connection, else an own one with this model, else the server's.

    Raises `InvalidInput` naming the models there are, also for a connection that cannot be used, or `ProviderNotAllowed`.
    """
    if connection_id is None and model == OFFLINE:
        return Chosen(PROVIDERS.get("llm", "offline").create({}), model, "offline")
    rows = _own(actor.organization_id)
    own = connection_id or next((each.id for each in rows if each.config["default_model"] == model), None)
    if own is not None:
        check(actor.organization_id, type_of(organization_id=actor.organization_id, connection_id=own))
        return Chosen(_connected(actor.organization_id, own), model, "connection")
    if not model_configured():
        if not _priced(model):
            raise _unknown(actor)
        return Chosen(llm_port(), "", "offline")
    offered = offered_models()
    # A provider that cannot be asked for its list decides itself.
    if offered is not None and not _offers(offered, model):
        raise _unknown(actor)
    check(actor.organization_id, server_model().provider)
    return Chosen(llm_port(), model, server_model().provider)


def offered_models() -> list[str] | None:
    """The models that the server's provider offers, remembered for a minute; None where it does not say."""
    address = f"{settings.OPENAI_BASE_URL} {settings.OPENAI_API_KEY}"
    key = f"ai-models:{hashlib.sha256(address.encode()).hexdigest()[:32]}"
    kept = cache.get(key)
    if kept is not None:
        return kept or None
    try:
        names = server_model().port.models(timeout=LISTING_SECONDS)
    except PortFailure:
        names = []
    cache.set(key, names, LISTED_FOR if names else REFUSED_FOR)
    return names or None


def _offers(offered: list[str] | None, model: str) -> bool:
    return offered is not None and (model in offered or model == settings.DEFAULT_MODEL)


def _priced(model: str) -> bool:
    return any(model == name or model.startswith(f"{name}-") for name in PRICES)


def _own(organization_id: UUID) -> list[Connection]:
    """The organization's connections to language models that say which model they are for."""
    rows = Connection.objects.of(organization_id).filter(type__in=CONNECTION_TYPES.names("llm"), disabled=False)
    return [each for each in rows.order_by("id") if each.config.get("default_model")]


def _connected(organization_id: UUID, connection_id: UUID) -> LlmPort:
    try:
        return Priced(connected(organization_id=organization_id, kind="llm", connection_id=str(connection_id)))
    except Rejected as refusal:
        raise InvalidInput.of("connection_id", refusal.message) from None


def _unknown(actor: Actor) -> InvalidInput:
    known = list_models(actor=actor)
    usable = [each.id for each in known if each.available] or [each.id for each in known]
    names = ", ".join(usable[:NAMED])
    return InvalidInput.of("model", f"There is no such model here. There are: {names}.")
