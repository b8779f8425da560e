"""Putting values into a definition. A value is data wherever it lands: it never becomes an expression or markup.

What a `{{ name }}` turns into depends on what becomes of the text afterwards, which the node's own schema says:

- rendered text (most settings): the value as text, its braces guarded; a text that is exactly `{{ name }}` takes the
  value's type; inside a longer expression, and in bare conditions, the name becomes a literal of the value;
- escaped text (HTML): the value as an expression, so that it is escaped when the step runs;
- everything else (titles, variables, secrets …) is never rendered: the value as it is.

What is no parameter stays as it is, for run time. Ids, node types and ports are names, not texts, and stay too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from enum import Enum, auto
from functools import cache, partial
from typing import Any

from engine.expression_errors import ExpressionProblem
from engine.expression_tokens import OPEN, Token, split, tokens_of
from engine.expression_values import as_text
from engine.node import NodeConfig
from engine.registry import NODES, UnknownNode

Json = dict[str, Any]
Values = Mapping[str, Any]

_NAMES = frozenset({"id", "type", "source_node_id", "source_port", "target_node_id", "target_port"})
_TEXTS = frozenset({"title", "description", "label"})
_BLANK = re.compile(r"\{\{\s*([^\W\d]\w*)\s*\}\}")
_BRACES = re.compile(r"\{+")
_MARKUP = re.compile(r"[&<>\"'{]")
_LOOPS = frozenset({"map", "filter", "all", "exists", "exists_one"})
_CHUNK = 500  # characters; an expression may have 4 KiB, and JSON writes a character with at most 6


class _Use(Enum):
    """What becomes of a text after instantiation."""

    KEPT = auto()  # never rendered
    RENDERED = auto()
    ESCAPED = auto()  # rendered, every value made safe for HTML
    EXPRESSION = auto()  # the whole text is one expression


def substituted(definition: Mapping[str, Any], values: Values) -> Json:
    """A copy of a canonical definition with the values put in."""
    return {
        **_walked(dict(definition) | {"nodes": [], "edges": []}, values, _Use.KEPT),
        "nodes": [_node(each, values) for each in definition.get("nodes", [])],
        "edges": [_edge(each, values) for each in definition.get("edges", [])],
    }


def _node(node: Json, values: Values) -> Json:
    return {**_outside(node, values), "config": _configured(node, values)}


def _edge(edge: Json, values: Values) -> Json:
    condition = edge.get("condition")
    return {**_outside(edge, values), **({"condition": _expression(condition, values)} if condition else {})}


def _outside(thing: Json, values: Values) -> Json:
    """What a node or an edge says beside its configuration and its condition: never rendered."""
    texts = {key: _plain(each, values) for key, each in thing.items() if key in _TEXTS and isinstance(each, str)}
    rest = {key: each for key, each in thing.items() if key not in _NAMES}
    return {**thing, **_walked(rest, values, _Use.KEPT), **texts}


# Which text is used how: read from the schema that also draws the editor's form


def _configured(node: Json, values: Values) -> Json:
    try:
        schema = _schema(NODES.get(str(node.get("type") or "")).config)
    except UnknownNode:
        schema = {}  # `create_workflow` refuses it with a better sentence.
    filled: Json = _walked(node.get("config") or {}, values, _Use.RENDERED, schema, schema)
    return filled


@cache
def _schema(config: type[NodeConfig]) -> Json:
    return config.model_json_schema()


def _walked(value: Any, values: Values, use: _Use, place: Json | None = None, root: Json | None = None) -> Any:
    """`place` is the part of the node's schema (`root`) that describes the value, where one does."""
    shapes = _shapes(place or {}, root or {})
    use = next((found for shape in shapes if (found := _marked(shape))), use)
    if isinstance(value, str):
        return _SUBSTITUTE[use](value, values)
    if isinstance(value, list):
        items = next((shape["items"] for shape in shapes if isinstance(shape.get("items"), dict)), None)
        return [_walked(each, values, use, items, root) for each in value]
    if isinstance(value, dict):
        inner: Json = next((shape["properties"] for shape in shapes if "properties" in shape), {})
        return {name: _walked(each, values, use, inner.get(name), root) for name, each in value.items()}
    return value


def _shapes(place: Json, root: Json) -> list[Json]:
    """The schema of a place and what it may be instead, references followed."""
    found = []
    for each in (place, *place.get("anyOf", ()), *place.get("allOf", ())):
        name = str(each.get("$ref", "")).rpartition("/")[2]
        found.append(root.get("$defs", {}).get(name, each))
    return found


def _marked(shape: Json) -> _Use | None:
    if shape.get("x-expression"):
        return _Use.EXPRESSION
    if shape.get("x-literal"):
        return _Use.KEPT
    return _Use.ESCAPED if shape.get("x-escape") else None


# Texts


def _literal(text: str, values: Values) -> Any:
    whole = _BLANK.fullmatch(text)
    return values[whole[1]] if whole and whole[1] in values else _plain(text, values)


def _plain(text: str, values: Values) -> str:
    return _BLANK.sub(lambda blank: _shown(values[blank[1]]) if blank[1] in values else blank[0], text)


def _rendered(text: str, values: Values, *, escaped: bool = False) -> Any:
    """A broken template stays as it is: `create_workflow` refuses it with its place."""
    if OPEN not in text:
        return text
    try:
        parts = [each if isinstance(each, str) else _part(each[0], values, escaped) for each in split(text)]
    except ExpressionProblem:
        return text
    if len(parts) == 1 and not isinstance(parts[0], str):
        return _data(parts[0][0], escaped)
    return "".join(each if isinstance(each, str) else _guarded(_shown(each[0]), escaped) for each in parts)


def _part(source: str, values: Values, escaped: bool) -> str | tuple[Any]:
    """An expression with its braces, or, boxed, the value of the parameter that it is."""
    name = source.strip()
    if name not in values:
        return f"{{{{{_expression(source, values)}}}}}"
    # Escaped text is text: there the box never keeps a type.
    return (_shown(values[name]) if escaped else values[name],)


def _data(value: Any, escaped: bool) -> Any:
    """A value in its type, every text in it guarded: a choice may be a list or a map."""
    if isinstance(value, list):
        return [_data(each, escaped) for each in value]
    if isinstance(value, dict):
        return {name: _data(each, escaped) for name, each in value.items()}
    return _guarded(value, escaped) if isinstance(value, str) else value


def _guarded(text: str, escaped: bool) -> str:
    """The text so that rendering gives it back: its braces, or all of it, as quoted texts in expressions."""
    if escaped and _MARKUP.search(text):
        return "".join(f"{{{{ {_quoted(text[at : at + _CHUNK])} }}}}" for at in range(0, len(text), _CHUNK))
    return _BRACES.sub(lambda braces: f'{{{{ "{braces[0]}" }}}}', text)


def _shown(value: Any) -> str:
    """As text: choices side by side, anything else as a step would write it."""
    return ", ".join(map(as_text, value)) if isinstance(value, list) else as_text(value)


# Expressions


def _expression(source: str, values: Values) -> str:
    """The expression with a literal in place of every bare name that is a parameter, which `has(name)` is one too."""
    if source.lstrip().startswith(OPEN):
        return _unwrapped(source, values)
    try:
        tokens = tokens_of(source)
    except ExpressionProblem:
        return source
    pieces: list[str] = []
    position = 0
    for at in _bare_names(tokens):
        name = tokens[at].text
        if name not in values:
            continue
        first, last, literal = at, at, _of_value(values[name])
        if [each.text for each in (*tokens[max(0, at - 2) : at], *tokens[at + 1 : at + 2])] == ["has", "(", ")"]:
            first, last, literal = at - 2, at + 1, "true" if values[name] is not None else "false"
        pieces += [source[position : tokens[first].start], literal]
        position = tokens[last].end
    return "".join([*pieces, source[position:]])


def _unwrapped(source: str, values: Values) -> str:
    """A bare expression may have braces around the whole."""
    try:
        parts = split(source.strip())
    except ExpressionProblem:
        return source
    return source if len(parts) != 1 or isinstance(parts[0], str) else _expression(parts[0][0].strip(), values)


def _bare_names(tokens: list[Token]) -> list[int]:
    """Where a name stands for itself: no field after a dot, no function, no loop's own variable."""
    found: list[int] = []
    scopes: list[str] = []  # the loop variable of every open bracket, or ""
    for at, token in enumerate(tokens):
        before, after = tokens[at - 1].text if at else "", tokens[at + 1].text if at + 1 < len(tokens) else ""
        if token.kind == "op" and token.text in "([{":
            scopes.append(_loop_variable(tokens, at))
        elif token.kind == "op" and token.text in ")]}" and scopes:
            scopes.pop()
        elif token.kind == "name" and before != "." and after != "(" and token.text not in scopes:
            found.append(at)
    return found


def _loop_variable(tokens: list[Token], opening: int) -> str:
    """`x` where the bracket opens `.map(x, …)`; else nothing."""
    around = [each.text for each in tokens[max(0, opening - 2) : opening + 3]]
    if len(around) == 5 and around[0] == "." and around[1] in _LOOPS and around[4] == ",":
        return around[3]
    return ""


def _of_value(value: Any) -> str:
    """A literal of the expression language. A negative number stands in brackets: `a - -1` is no expression."""
    if isinstance(value, list):
        return f"[{', '.join(map(_of_value, value))}]"
    if isinstance(value, str):
        return _quoted(value)
    literal = json.dumps(value)
    return f"({literal})" if literal.startswith("-") else literal


def _quoted(text: str) -> str:
    """JSON's escapes are among the language's own."""
    return json.dumps(text, ensure_ascii=False)


_SUBSTITUTE: dict[_Use, Callable[[str, Values], Any]] = {
    _Use.KEPT: _literal,
    _Use.RENDERED: _rendered,
    _Use.ESCAPED: partial(_rendered, escaped=True),
    _Use.EXPRESSION: _expression,
}
