"""Every operation that the OpenAPI documents name, with a request that fits it: what the gates about access ask."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from io import StringIO
from typing import Any

VERBS = ("get", "post", "put", "patch", "delete")
_UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
_ID = re.compile(r"(^|_)ids?$")


@dataclass(frozen=True)
class Asked:
    """`needs` is its `x-permission`. `body` is the document's own example; None where it takes none."""

    method: str
    path: str
    needs: str
    slots: tuple[str, ...]  # of the path
    queries: tuple[str, ...]  # ids in the query
    body: Any = field(hash=False, default=None)
    media: str = "application/json"
    fields: tuple[tuple[str, ...], ...] = ()  # where ids stand in the body: keys, "*" for each of a list

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    def filled(self, ids: Mapping[str, str] | Any) -> str:
        """The address with an id in every slot. `ids` gives one by the slot's name."""
        return re.sub(r"\{(\w+)\}", lambda match: str(ids(match[1])), self.path)


def documents() -> list[dict[str, Any]]:
    from django.core.management import call_command
    from django.urls import get_resolver

    from api.dialect import DIALECTS

    _ = get_resolver().url_patterns  # Dialects are known from here on.
    found = []
    for dialect in DIALECTS:
        out = StringIO()
        made = ("--format", "openapi-json", "--urlconf", f"api.{dialect.name}.urls")
        call_command("spectacular", *made, stdout=out)
        found.append(json.loads(out.getvalue()))
    return found


@cache
def operations() -> tuple[Asked, ...]:
    """Of every dialect, by address."""
    found = [each for document in documents() for each in _of(document)]
    return tuple(sorted(found, key=str))


def _of(document: dict[str, Any]) -> Iterator[Asked]:
    for path, item in document["paths"].items():
        for verb in VERBS:
            if verb not in item:
                continue
            about = item[verb]
            parameters = [_resolved(document, each) for each in about.get("parameters", [])]
            queries = [each for each in parameters if each["in"] == "query" and _is_id(each["name"], each["schema"])]
            media, body, fields = _body(document, about)
            yield Asked(
                verb.upper(), path, about["x-permission"], tuple(re.findall(r"\{(\w+)\}", path)),
                tuple(each["name"] for each in queries), body, media, fields,
            )  # fmt: skip


def _body(document: dict[str, Any], about: dict[str, Any]) -> tuple[str, Any, tuple[tuple[str, ...], ...]]:
    if "requestBody" not in about:
        return "application/json", None, ()
    content = _resolved(document, about["requestBody"])["content"]
    media = "application/json" if "application/json" in content else next(iter(content))
    said = content[media]
    example = said.get("example")
    if example is None and said.get("examples"):
        example = next(iter(said["examples"].values())).get("value")
    return (
        media,
        example if example is not None else {},
        tuple(dict.fromkeys(_places(document, said.get("schema", {}), (), 0))),
    )


def _places(
    document: dict[str, Any], schema: dict[str, Any], at: tuple[str, ...], depth: int
) -> Iterator[tuple[str, ...]]:
    """Where ids stand in a body."""
    schema = _resolved(document, schema)
    for option in (*schema.get("anyOf", ()), *schema.get("oneOf", ()), *schema.get("allOf", ())):
        yield from _places(document, option, at, depth)
    if depth > 4:
        return
    if at and at[-1] != "*" and schema.get("type") != "object" and _is_id(at[-1], schema):
        yield (*at, "*") if schema.get("type") == "array" else at
        return
    if schema.get("type") == "array":
        items = _resolved(document, schema.get("items", {}))
        if items.get("format") == "uuid":
            yield (*at, "*")
        else:
            yield from _places(document, items, (*at, "*"), depth + 1)
    for name, each in schema.get("properties", {}).items():
        yield from _places(document, each, (*at, name), depth + 1)


def _is_id(name: str, schema: dict[str, Any]) -> bool:
    options = [schema, *schema.get("anyOf", ())]
    return any(each.get("format") == "uuid" for each in options) or bool(
        _ID.search(name)
        and name not in ("client_op_id", "id")
        and any(each.get("type") == "string" for each in options)
    )


def _resolved(document: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in part:
        found: Any = document
        for step in part["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        part = found
    return part


def with_id(body: Any, place: tuple[str, ...], identity: str) -> Any:
    """The body with an id at one place; what is missing on the way is made."""
    made = copy.deepcopy(body) if isinstance(body, dict) else {}
    here: Any = made
    for at, step in enumerate(place):
        last = at == len(place) - 1
        following = None if last else place[at + 1]
        empty: Any = identity if last else [] if following == "*" else {}
        if step == "*":
            if last or not here or not isinstance(here[0], dict):
                here[:] = [empty]
            here = here[0]
        else:
            if last or not isinstance(here.get(step), type(empty)):
                here[step] = empty
            here = here[step]
    return made


def without_ids(answer: Any) -> str:
    """What an answer says, without what differs each time: ids, moments, durations and this request's own."""
    text = answer.content.decode("utf-8", "replace")
    text = re.sub(r"\d{4}-\d\d-\d\dT[0-9:.]+(?:Z|\+00:00)", "TIME", text)
    text = re.sub(r'("\w*(?:_ms|duration|seconds)":)[0-9.e-]+', r"\1 SPAN", text)
    return f"{answer.status_code} {_UUID.sub('ID', text)}"
