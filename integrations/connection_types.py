"""The types of stored connections. Each is registered beside its provider: `@connection_type("twilio", kind="sms", …)`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError

from auterity.kernel.errors import FieldProblem, InvalidInput

MASK = "********"

_Class = TypeVar("_Class", bound=type)


class Settings(BaseModel):
    """Base of a type's readable settings."""

    model_config = ConfigDict(extra="forbid")


class Credentials(BaseModel):
    """Base of a type's credentials: written, never read back. Whatever is secret is a `SecretStr`."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class NoCredentials(Credentials):
    """For systems that ask for none."""


class DuplicateConnectionType(Exception):
    """Two types claim one name. Raised at start-up."""


@dataclass(frozen=True, slots=True)
class ConnectionType:
    """`bound` names the settings that say where credentials go: changing one means giving the credentials again."""

    name: str
    kind: str
    title: str
    config: type[BaseModel]
    credentials: type[BaseModel]
    bound: tuple[str, ...]
    factory: Callable[[Any, Any], Any]

    def read_config(self, given: Mapping[str, Any]) -> BaseModel:
        """Raises `InvalidInput` naming every wrong field under `config`."""
        return _validated(self.config, given, "config")

    def read_credentials(self, given: Mapping[str, Any]) -> BaseModel:
        """Raises `InvalidInput` naming every wrong field under `credentials`, never its value."""
        return _validated(self.credentials, given, "credentials")

    def create(self, config: Mapping[str, Any], credentials: Mapping[str, Any]) -> Any:
        """The port behind stored settings. Raises `InvalidInput` where an older release stored what this one refuses."""
        return self.factory(self.read_config(config), self.read_credentials(credentials))


class ConnectionTypeRegistry:
    def __init__(self) -> None:
        self._types: dict[str, ConnectionType] = {}

    def add(self, connection_type: ConnectionType) -> None:
        if connection_type.name in self._types:
            raise DuplicateConnectionType(f"The connection type '{connection_type.name}' is registered twice.")
        self._types[connection_type.name] = connection_type

    def get(self, name: str) -> ConnectionType:
        """Raises `InvalidInput` listing the types there are."""
        if name not in self._types:
            raise InvalidInput.of("type", f"There is no such connection type; there are {', '.join(self.names())}.")
        return self._types[name]

    def names(self, kind: str = "") -> list[str]:
        """The names of the types of one kind, or of all, in order."""
        return [each.name for each in self if not kind or each.kind == kind]

    def __iter__(self) -> Iterator[ConnectionType]:
        return iter(sorted(self._types.values(), key=lambda each: each.name))


CONNECTION_TYPES = ConnectionTypeRegistry()


def connection_type(
    name: str,
    *,
    kind: str,
    title: str,
    config: type[BaseModel],
    credentials: type[BaseModel] = NoCredentials,
    bound: tuple[str, ...] = (),
    registry: ConnectionTypeRegistry = CONNECTION_TYPES,
) -> Callable[[_Class], _Class]:
    """Class decorator. The class takes (config, credentials), satisfies the port of its kind and has `check`."""

    def register(factory: _Class) -> _Class:
        registry.add(ConnectionType(name, kind, title, config, credentials, bound, factory))
        return factory

    return register


def plain(credentials: BaseModel) -> dict[str, Any]:
    """What is sealed: the fields that were given, secrets in the clear. Only for the vault."""
    return {
        name: value.get_secret_value() if isinstance(value, SecretStr) else value
        for name in sorted(credentials.model_fields_set)
        if (value := getattr(credentials, name)) is not None
    }


def _validated(model: type[BaseModel], given: Mapping[str, Any], where: str) -> BaseModel:
    try:
        return model.model_validate(dict(given))
    except ValidationError as error:
        problems = [
            FieldProblem(
                ".".join((where, *(str(part) for part in each["loc"]))),
                each["msg"].removeprefix("Value error, "),
                "required" if each["type"] == "missing" else "invalid",
            )
            for each in error.errors(include_url=False, include_input=False, include_context=False)
        ]
    raise InvalidInput(problems)
