"""The providers there are, found by looking into `integrations/providers/<kind>/`, never by a list to edit."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from engine.ports import NotConfigured

PACKAGE = "integrations.providers"

_Class = TypeVar("_Class", bound=type)


class DuplicateProvider(Exception):
    """Two providers of one kind claim one name. Raised at start-up."""


class UnknownProvider(KeyError):
    """No provider of this kind has this name. The message lists the ones there are."""

    def __init__(self, kind: str, name: str, known: list[str]) -> None:
        super().__init__(name)
        self.message = f"'{name}' is not a provider of kind {kind}; there are {', '.join(known) or 'none'}"


@dataclass(frozen=True, slots=True)
class ProviderType:
    """One way to the outside: its configuration's form (secrets are SecretStr) and what makes the port from it."""

    kind: str
    name: str
    title: str
    config: type[BaseModel]
    factory: Callable[[Any], Any]

    def create(self, config: Mapping[str, Any]) -> Any:
        """A port of this provider. Raises NotConfigured naming the fields that are wrong, never their values."""
        try:
            return self.factory(self.config.model_validate(dict(config)))
        except ValidationError as error:
            fields = sorted({".".join(str(part) for part in each["loc"]) or "url" for each in error.errors()})
            raise NotConfigured(f"The settings of {self.title} are not valid: {', '.join(fields)}.") from None


class ProviderRegistry:
    def __init__(self) -> None:
        self._types: dict[tuple[str, str], ProviderType] = {}

    def add(self, provider_type: ProviderType) -> None:
        key = (provider_type.kind, provider_type.name)
        if key in self._types:
            raise DuplicateProvider(f"The {key[0]} provider '{key[1]}' is registered twice.")
        self._types[key] = provider_type

    def get(self, kind: str, name: str) -> ProviderType:
        """Raises `UnknownProvider`."""
        try:
            return self._types[kind, name]
        except KeyError:
            raise UnknownProvider(kind, name, [each.name for each in self.of(kind)]) from None

    def of(self, kind: str) -> list[ProviderType]:
        """The providers of one kind, by name."""
        return [each for each in self if each.kind == kind]

    def __iter__(self) -> Iterator[ProviderType]:
        return iter(sorted(self._types.values(), key=lambda each: (each.kind, each.name)))

    def __len__(self) -> int:
        return len(self._types)


PROVIDERS = ProviderRegistry()


def provider(
    kind: str, name: str, *, title: str, config: type[BaseModel], registry: ProviderRegistry = PROVIDERS
) -> Callable[[_Class], _Class]:
    """Class decorator: `@provider("email", "smtp", title="SMTP", config=Config)`. The class takes the config alone."""

    def register(factory: _Class) -> _Class:
        registry.add(ProviderType(kind, name, title, config, factory))
        return factory

    return register


def discover(package: str = PACKAGE) -> None:
    """Import every module of every kind, so that each registers its provider."""
    root = importlib.import_module(package)
    for kind in pkgutil.iter_modules(root.__path__):
        if not kind.ispkg:
            continue
        folder = importlib.import_module(f"{package}.{kind.name}")
        for module in pkgutil.iter_modules(folder.__path__):
            importlib.import_module(f"{package}.{kind.name}.{module.name}")
