"""A node's configuration, checked when it is saved and rendered when its step runs.

Each field is one of four kinds, told by its annotation in the node's `Config`:
rendered (the default), escaped (`x-escape`, rendered with every value made safe for HTML), bare (`Bare`: an expression
that the node evaluates itself) and literal (`Literal_`: never a template).
"""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from itertools import islice
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from engine.expressions import (
    Expression,
    ExpressionProblem,
    Scope,
    Template,
    compile_expression,
    compile_template,
    contains_template,
)
from engine.nearest import nearest
from engine.node import NodeConfig, NodeType
from engine.output_schema import problems_of

_EMPTY = compile_template({})
_WARNINGS = 20  # settings that nobody knows, named one by one


@dataclass(frozen=True, slots=True)
class ConfigTemplate:
    """What a step's configuration is made from. `expressions` are pairs of (field path, expression)."""

    rendered: Template = _EMPTY
    escaped: Template = _EMPTY
    kept: Mapping[str, Any] = field(default_factory=dict)
    expressions: tuple[tuple[str, Expression], ...] = ()

    @property
    def literal(self) -> bool:
        """Whether it is filled in the same way every time."""
        return self.rendered.literal and self.escaped.literal

    def render(self, scope: Scope) -> dict[str, Any]:
        """Field name to value. Raises `ExpressionError`."""
        return {**self.kept, **self.rendered.render(scope), **self.escaped.render(scope, html.escape)}


@dataclass(slots=True)
class CheckedConfig:
    """`errors` and `warnings` are pairs of (field path, sentence). `settings` holds the settings every node has."""

    template: ConfigTemplate
    settings: NodeConfig
    errors: list[tuple[str, str]] = field(default_factory=list)
    warnings: list[tuple[str, str]] = field(default_factory=list)


def check_config(node_type: NodeType, raw: Any) -> CheckedConfig:
    """Compile the templates, validate what is literal, and say what is missing, misspelt or of the wrong type."""
    if not isinstance(raw, Mapping):
        return CheckedConfig(ConfigTemplate(), NodeConfig(), [("", "The configuration must be an object.")])
    fields = _fields(node_type.config)
    errors: list[tuple[str, str]] = []
    template = _compile(raw, fields, errors)
    settings = _validate(node_type, raw, fields, errors)
    warnings = [
        (name, f"{node_type.title} has no setting '{name}'{_nearest(name, list(fields))}; it is kept but not used.")
        for name in islice((name for name in raw if name not in fields), _WARNINGS)
    ]
    return CheckedConfig(template, settings, errors, warnings)


@cache
def _fields(config: type[BaseModel]) -> dict[str, FieldInfo]:
    return {info.alias or name: info for name, info in config.model_fields.items()}


def _mark(info: FieldInfo, name: str) -> Any:
    """A `x-…` mark that a field's annotation carries, on itself or on what an Optional holds."""
    inner = [each for arg in get_args(info.annotation) for each in getattr(arg, "__metadata__", ())]
    for holder in (info, *info.metadata, *inner):
        extra = getattr(holder, "json_schema_extra", None)
        if isinstance(extra, dict) and name in extra:
            return extra[name]
    return None


def _escapes(info: FieldInfo, raw: Mapping[str, Any]) -> bool:
    """Whether values put into this field are made safe for HTML: always, or when another field says so (`x-escape-when`)."""
    if _mark(info, "x-escape") != "html":
        return False
    when = _mark(info, "x-escape-when") or {}
    return all(raw.get(name) == value or contains_template(raw.get(name)) for name, value in when.items())


def _item_model(info: FieldInfo) -> type[BaseModel] | None:
    """The model of what a list or a map holds, where those are models with bare expressions."""
    held = [arg for outer in (info.annotation, *get_args(info.annotation)) for arg in get_args(outer)]
    models = [arg for arg in held if isinstance(arg, type) and issubclass(arg, BaseModel)]
    bare = [model for model in models if any(_mark(each, "x-expression") for each in _fields(model).values())]
    return bare[0] if bare else None


def _bare_sources(name: str, info: FieldInfo, value: Any) -> Iterator[tuple[str, str]]:
    """The bare expressions under one field, as (path, source)."""
    if _mark(info, "x-expression"):
        if isinstance(value, str) and value:
            yield name, value
        return
    model = _item_model(info)
    held = [(f"{name}[{at}]", item) for at, item in enumerate(value)] if isinstance(value, list) else []
    if isinstance(value, Mapping):
        held = [(f"{name}.{at}", item) for at, item in value.items()]
    for place, item in held if model is not None else ():
        for key, inner in _fields(model).items() if model is not None and isinstance(item, Mapping) else ():
            if key in item:
                yield from _bare_sources(f"{place}.{key}", inner, item[key])


def _compile(raw: Mapping[str, Any], fields: Mapping[str, FieldInfo], errors: list[tuple[str, str]]) -> ConfigTemplate:
    rendered: dict[str, Any] = {}
    escaped: dict[str, Any] = {}
    kept: dict[str, Any] = {}
    expressions: list[tuple[str, Expression]] = []
    for name, value in raw.items():
        info = fields.get(name)
        if info is None:
            continue
        bare = _mark(info, "x-expression") or _item_model(info) is not None
        if bare or _mark(info, "x-literal"):
            kept[name] = value
        elif _escapes(info, raw):
            escaped[name] = value
        else:
            rendered[name] = value
        for path, source in _bare_sources(name, info, value) if bare else ():
            try:
                expressions.append((path, compile_expression(source)))
            except ExpressionProblem as error:
                errors.append((path, error.message))
    plain, safe = _template(rendered, errors), _template(escaped, errors)
    return ConfigTemplate(plain, safe, kept, (*expressions, *plain.expressions, *safe.expressions))


def _template(value: dict[str, Any], errors: list[tuple[str, str]]) -> Template:
    try:
        return compile_template(value)
    except ExpressionProblem as error:
        errors.append((str(getattr(error, "path", "") or ""), error.message))
        return _EMPTY


def _validate(
    node_type: NodeType, raw: Mapping[str, Any], fields: Mapping[str, FieldInfo], errors: list[tuple[str, str]]
) -> NodeConfig:
    """Validate with pydantic, forgiving fields whose value is only known at run time."""
    try:
        config = node_type.config.model_validate(dict(raw))
    except ValidationError as error:
        for each in error.errors(include_url=False, include_input=False):
            if not contains_template(_value_at(raw, each["loc"])):
                path = ".".join(str(part) for part in each["loc"])
                errors.append((path, _sentence(each["type"], each["msg"], fields.get(path))))
        return _settings_alone(raw)
    if node_type.check is not None:
        errors.extend(node_type.check(config))
    if config.output_schema is not None:
        errors.extend(("output_schema", sentence) for sentence in problems_of(config.output_schema))
    return config


def _settings_alone(raw: Mapping[str, Any]) -> NodeConfig:
    """The settings that all nodes have, for a configuration that does not validate as a whole."""
    try:
        return NodeConfig.model_validate({name: raw[name] for name in NodeConfig.model_fields if name in raw})
    except ValidationError:
        return NodeConfig()


def _value_at(raw: Any, path: tuple[int | str, ...]) -> Any:
    """The value at a validation error's place, or the nearest text above it; None where nothing was given."""
    for part in path:
        if isinstance(raw, str):
            return raw
        if isinstance(raw, list) and isinstance(part, int) and part < len(raw):
            raw = raw[part]
        elif isinstance(raw, Mapping) and part in raw:
            raw = raw[part]
        else:
            return None
    return raw


def _sentence(kind: str, message: str, info: FieldInfo | None) -> str:
    help_text = f" ({info.description})" if info is not None and info.description else ""
    if kind == "missing":
        return f"This setting is required{help_text}."
    return f"{message.removeprefix('Value error, ').rstrip('.')}{help_text}."


def _nearest(name: str, known: list[str]) -> str:
    near = nearest(name, known)
    return f"; did you mean '{near[0]}'?" if near else ""
