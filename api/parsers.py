"""JSON in and out. Bodies are bounded, duplicate keys are refused, and text that no database can keep never gets in."""

from __future__ import annotations

import json
from typing import IO, Any

import orjson
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer

from api.problems import BodyTooLarge, MalformedBody
from workflows.yaml_text import UnreadableYaml, read_yaml

MAX_BODY_BYTES = 5 * 1024 * 1024
MAX_DEPTH = 64


class JsonParser(BaseParser):
    """RFC 8259, strictly: no NaN, no duplicate keys, at most 64 levels."""

    media_type = "application/json"

    def parse(self, stream: IO[bytes], media_type: str | None = None, parser_context: Any = None) -> Any:
        raw = stream.read(MAX_BODY_BYTES + 1)
        if len(raw) > MAX_BODY_BYTES:
            raise BodyTooLarge(f"The request body may have {MAX_BODY_BYTES:,} bytes.")
        return read_json(raw) if raw.strip() else {}


class VendorJsonParser(JsonParser):
    media_type = "application/vnd.auterity.v1+json"


class YamlParser(BaseParser):
    """YAML that says what JSON can say: no tags, no anchors, no aliases."""

    media_type = "application/yaml"

    def parse(self, stream: IO[bytes], media_type: str | None = None, parser_context: Any = None) -> Any:
        raw = stream.read(MAX_BODY_BYTES + 1)
        if len(raw) > MAX_BODY_BYTES:
            raise BodyTooLarge(f"The request body may have {MAX_BODY_BYTES:,} bytes.")
        try:
            value = read_yaml(raw.decode())
        except UnicodeDecodeError as error:
            raise MalformedBody("The request body is not UTF-8.") from error
        except UnreadableYaml as error:
            raise MalformedBody(f"The request body cannot be read as YAML. {error}") from error
        if _holds_nul(value):
            raise MalformedBody("The request body holds a NUL character.")
        return value


def read_json(raw: bytes) -> Any:
    """Parse untrusted JSON. Raises `MalformedBody` saying where it breaks, `BodyTooLarge` when it is too deep."""
    try:
        orjson.loads(raw)  # Refuses what is not UTF-8, lone surrogates, NaN and nesting that would exhaust the stack.
        value = json.loads(raw, object_pairs_hook=_unique)
        orjson.dumps(value)  # Refuses integers of more than 64 bits.
    except json.JSONDecodeError as error:
        raise MalformedBody(
            f"The request body is not valid JSON: {error.msg} at line {error.lineno}, column {error.colno}."
        ) from error
    except (TypeError, ValueError, RecursionError) as error:
        raise MalformedBody(f"The request body cannot be read: {error}.") from error
    if _too_deep(value):
        raise BodyTooLarge(f"The request body is nested deeper than {MAX_DEPTH} levels.")
    if b"\\u0000" in raw and _holds_nul(value):
        raise MalformedBody("The request body holds a NUL character.")
    return value


def _holds_nul(value: Any) -> bool:
    if isinstance(value, str):
        return "\x00" in value
    if isinstance(value, dict):
        return any("\x00" in key or _holds_nul(each) for key, each in value.items())
    return isinstance(value, list) and any(map(_holds_nul, value))


def _too_deep(value: Any) -> bool:
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [
            child
            for each in level
            if isinstance(each, dict | list)
            for child in (each.values() if isinstance(each, dict) else each)
            if isinstance(child, dict | list)
        ]
        if not level:
            return False
    return True


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise ValueError(f"the key '{twice[:100]}' is given twice")
    return found


class JsonRenderer(BaseRenderer):
    media_type = "application/json"
    format = "json"
    charset = None

    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None) -> bytes:
        return b"" if data is None else orjson.dumps(data)


class WrittenRenderer(JsonRenderer):
    """Sends a body that is written already as it stands; a refusal is JSON as ever."""

    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None) -> bytes:
        return data if isinstance(data, bytes) else super().render(data)


class WrittenYamlRenderer(WrittenRenderer):
    media_type = "application/yaml"
    format = "yaml"


class VendorJsonRenderer(JsonRenderer):
    """000, Version Headers."""

    media_type = "application/vnd.auterity.v1+json"
    format = "vnd"
