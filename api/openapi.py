"""The last touch on the OpenAPI document: what no single operation declares, because every operation has it.

Headers of every answer, refusals that many operations share, an example beside every shape, and the groups of operations.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from api.dialect import DIALECTS
from api.examples import example_of
from api.schema import TAGS

_VERBS = ("get", "post", "put", "patch", "delete")
_JSON = "application/json"
_Headers = Mapping[str, tuple[str, Mapping[str, Any]]]
_BY_STATUS: Mapping[str, _Headers] = {
    "401": {"WWW-Authenticate": ("How to authenticate: `Bearer`.", {"type": "string"})},
    "429": {"Retry-After": ("Seconds until it is worth trying again.", {"type": "integer", "minimum": 1})},
    "503": {"Retry-After": ("Seconds until it is worth trying again.", {"type": "integer", "minimum": 1})},
}
_REQUEST_ID: _Headers = {
    "X-Request-ID": (
        "The request's id: the one sent, when it is 8 to 64 of A-Z, a-z, 0-9 and -, else one made here. It is in our log.",
        {"type": "string", "minLength": 8, "maxLength": 64},
    )
}


def finish(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:
    """drf-spectacular's hook after the document of one dialect is made."""
    dialect = next(found for path in result["paths"] if (found := DIALECTS.of_path(path)) is not None)
    if dialect.about:
        result["info"] |= {"title": f"Auterity, {dialect.name}", "description": dialect.about}
    named = result["components"]["schemas"]
    _name_schemas(named)
    for path, operation in _operations(result):
        _show_bodies(operation, named)
        _add_headers(path, operation, result["components"])
    _share_refusals(result)
    used = {tag for _, operation in _operations(result) for tag in operation.get("tags", ())}
    result["tags"] = [{"name": name, "description": _about(dialect.name, name)} for name in sorted(used)]
    result["servers"] = [{"url": "/", "description": "Where this document came from"}]
    return result


def _operations(result: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, item in result["paths"].items():
        yield from ((path, item[verb]) for verb in _VERBS if verb in item)


def _name_schemas(named: dict[str, Any]) -> None:
    """A schema's title is its name here, because generators name classes by it; a property's would only repeat its key."""
    for name, schema in named.items():
        _drop_titles(schema)
        if schema.get("type") == "object":
            schema["title"] = name


def _drop_titles(schema: Any) -> None:
    if isinstance(schema, list):
        for each in schema:
            _drop_titles(each)
    elif isinstance(schema, dict):
        if isinstance(schema.get("title"), str):
            del schema["title"]
        for key, each in schema.items():
            if key == "properties":
                for field in each.values():
                    _drop_titles(field)
            elif key not in ("example", "examples", "default", "const", "enum"):
                _drop_titles(each)


def _show_bodies(operation: dict[str, Any], named: Mapping[str, Any]) -> None:
    """An example beside every body that is JSON."""
    bodies = [operation["requestBody"]] if "requestBody" in operation else []
    for body in bodies:
        if _JSON in body["content"]:  # Other names of JSON are taken too, and need not be shown.
            body["content"] = {name: each for name, each in body["content"].items() if not name.endswith("+json")}
    for body in (*bodies, *operation["responses"].values()):
        for media, content in body.get("content", {}).items():
            if media != _JSON:
                content.pop("examples", None)  # The same body under another name.
            elif "examples" not in content:
                _show(content, named)


def _show(content: dict[str, Any], named: Mapping[str, Any]) -> None:
    """An example, or one of each shape that the body may have."""
    schema = content.get("schema", {})
    either = named.get(schema.get("$ref", "").rpartition("/")[2], schema).get("oneOf", [])
    if all("$ref" in each for each in either) and either:
        shapes = {each["$ref"].rpartition("/")[2]: each for each in either}
        content["examples"] = {name: {"value": example_of(each, named)} for name, each in shapes.items()}
    else:
        content["example"] = example_of(schema, named)


def _add_headers(path: str, operation: dict[str, Any], components: dict[str, Any]) -> None:
    """What every answer carries, by its dialect and its status."""
    dialect = DIALECTS.of_path(path)
    common: dict[str, tuple[str, Mapping[str, Any]]] = dict(_REQUEST_ID)
    if dialect is not None:
        common |= {each.name: (each.meaning, each.schema) for each in dialect.answer_headers}
    for status, response in operation["responses"].items():
        for name, (meaning, schema) in {**common, **_BY_STATUS.get(status, {})}.items():
            components.setdefault("headers", {})[name] = {"description": meaning, "schema": schema}
            response.setdefault("headers", {})[name] = {"$ref": f"#/components/headers/{name}"}


def _share_refusals(result: dict[str, Any]) -> None:
    """A refusal that several operations answer alike is written once, under a name made of its status and codes."""
    slots = [
        (operation["responses"], status)
        for _, operation in _operations(result)
        for status in operation["responses"]
        if status >= "400" and "examples" in operation["responses"][status].get("content", {}).get(_JSON, {})
    ]
    seen = Counter(_written(responses[status]) for responses, status in slots)
    names: dict[str, str] = {}
    shared = result["components"].setdefault("responses", {})
    for responses, status in slots:
        written = _written(responses[status])
        if seen[written] < 2:
            continue
        if written not in names:
            codes = sorted(responses[status]["content"][_JSON]["examples"])
            stem = "_".join((f"Refused{status}", *codes))
            taken = sum(1 for each in shared if each == stem or each.startswith(f"{stem}_v"))
            names[written] = stem if not taken else f"{stem}_v{taken + 1}"
            shared[names[written]] = responses[status]
        responses[status] = {"$ref": f"#/components/responses/{names[written]}"}
    for name in sorted(shared):
        shared[name] = shared.pop(name)


def _written(response: Mapping[str, Any]) -> str:
    return json.dumps(response, sort_keys=True)


def _about(dialect: str, tag: str) -> str:
    """The first sentence of the module that holds the tag's views."""
    # The document of all dialects at once, which only `check --deploy` makes, has tags of the others too.
    named = TAGS.get((dialect, tag)) or next(module for (_, name), module in TAGS.items() if name == tag)
    module = sys.modules[named]
    return (module.__doc__ or "").strip().partition("\n")[0]
