"""Providers are found by looking, and a name belongs to one of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import BaseModel, SecretStr

import integrations.providers
from engine.ports import NotConfigured
from integrations.connection_types import CONNECTION_TYPES
from integrations.registry import PROVIDERS, DuplicateProvider, ProviderRegistry, UnknownProvider, provider


class Config(BaseModel):
    token: SecretStr
    region: str = "eu"


def test_every_provider_module_is_found() -> None:
    folder = Path(integrations.providers.__path__[0])
    modules = [each for each in folder.glob("*/*.py") if each.name != "__init__.py"]
    registered = {each.factory.__module__ for each in (*PROVIDERS, *CONNECTION_TYPES)}
    assert {f"{each.parent.name}.{each.stem}" for each in modules} == {
        name.removeprefix("integrations.providers.") for name in registered
    }
    assert CONNECTION_TYPES.names() == [
        "custom_model", "custom_rest", "messagebird", "mysql", "ollama", "openai", "postgres", "smtp", "sqlite", "twilio",
    ]  # fmt: skip
    assert [(each.kind, each.name) for each in PROVIDERS if each.kind in ("email", "llm")] == [
        ("email", "outbox"),
        ("email", "smtp"),
        ("llm", "offline"),
        ("llm", "openai-compatible"),
    ]


def test_second_registration_of_a_name_is_refused() -> None:
    registry = ProviderRegistry()
    provider("sms", "one", title="One", config=Config, registry=registry)(object)
    provider("email", "one", title="One", config=Config, registry=registry)(object)
    with pytest.raises(DuplicateProvider, match="sms provider 'one'"):
        provider("sms", "one", title="One", config=Config, registry=registry)(object)
    assert len(registry) == 2


def test_unknown_name_lists_what_there_is() -> None:
    with pytest.raises(UnknownProvider) as unknown:
        PROVIDERS.get("email", "pigeon")
    assert unknown.value.message == "'pigeon' is not a provider of kind email; there are outbox, smtp"


def test_wrong_settings_name_the_fields_and_never_the_values() -> None:
    registry = ProviderRegistry()

    @provider("sms", "one", title="One", config=Config, registry=registry)
    class One:
        def __init__(self, config: Config) -> None:
            self.config = config

    assert registry.get("sms", "one").create({"token": "hush"}).config.region == "eu"
    with pytest.raises(NotConfigured, match=r"settings of One are not valid: region, token\.") as refused:
        registry.get("sms", "one").create({"token": {"hush": 1}, "region": 7})
    assert "hush" not in str(refused.value)
