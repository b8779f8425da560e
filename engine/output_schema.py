"""`output_schema`, which every node may have: what its output must look like (JSON Schema 2020-12).

A schema comes from whoever writes a workflow, so checking an output by it is bounded: no schema from elsewhere, patterns are RE2,
and every comparison counts.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any

import orjson
from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import SchemaError, ValidationError
from jsonschema.validators import extend
from referencing import Registry

from engine.expressions import ExpressionError, Scope, compile_expression

MAX_SCHEMA = 64 * 1024  # bytes
MAX_WORK = 1_000_000  # comparisons that one output may take: a second or two
_A_REFERENCE = 8  # comparisons that following one counts as
_SHOWN = 120  # characters of a schema's value in a sentence

_MATCHES = "value.matches(pattern)"
_OF_SCHEMAS = ("properties", "$defs", "definitions", "dependentSchemas")
_LISTS = ("allOf", "anyOf", "oneOf", "prefixItems")
_SINGLE = (
    "items", "additionalProperties", "contains", "not", "if", "then", "else", "propertyNames", "unevaluatedItems",
    "unevaluatedProperties",
)  # fmt: skip
_work = threading.local()


class TooMuchWork(Exception):
    """The output takes too many comparisons."""


def problems_of(schema: Any) -> list[str]:
    """What is wrong with a schema, in sentences; empty when outputs can be checked by it."""
    if not isinstance(schema, dict):
        return ["It must be a JSON Schema, which is a map."]
    try:
        encoded = orjson.dumps(schema, option=orjson.OPT_NON_STR_KEYS)
    except TypeError:
        return ["It is nested too deeply, or holds what is no JSON."]
    if len(encoded) > MAX_SCHEMA:
        return [f"A schema may have {MAX_SCHEMA // 1024} KiB; this one has {len(encoded):,} bytes."]
    return list(_problems(encoded))


def misfit(schema: Mapping[str, Any], output: Any) -> str | None:
    """Where and how an output does not fit a sound schema, as a sentence without the output's own values; else None."""
    _work.left = MAX_WORK
    try:
        error = next(_validator(orjson.dumps(schema)).iter_errors(output), None)
    except TooMuchWork:
        return "the output takes too many comparisons to be checked; check less of it, or make it smaller"
    except RecursionError:
        return "the schema or the output is nested too deeply to be checked"
    return None if error is None else f"{_path(error)}: {_reason(error)}"


@lru_cache(maxsize=512)
def _problems(encoded: bytes) -> tuple[str, ...]:
    schema = orjson.loads(encoded)
    try:
        Draft202012Validator.check_schema(schema, format_checker=FormatChecker([]))
    except SchemaError as error:
        return (f"It is no JSON Schema (2020-12) at {_path(error)}: {error.message[:300]}.",)
    except RecursionError:
        return ("It is nested too deeply.",)
    return tuple(_forbidden(schema, schema))


@lru_cache(maxsize=512)
def _validator(encoded: bytes) -> Any:
    return _Checked(orjson.loads(encoded), registry=Registry())


def _forbidden(schema: Any, whole: Mapping[str, Any], at: str = "the schema") -> Iterator[str]:
    """What a JSON Schema may say, and one of ours may not."""
    if not isinstance(schema, dict):
        return
    for name in ("patternProperties", "$dynamicRef", "$id", "$anchor", "$dynamicAnchor"):
        if name in schema:
            yield f"{at} uses {name}, which is not followed here."
    yield from _reference_problems(schema.get("$ref"), whole, at)
    if isinstance(pattern := schema.get("pattern"), str):
        try:
            _matches(pattern, "")
        except ExpressionError as error:
            yield f"{at} has a pattern that RE2 cannot read ({error.message})."
    for name in _SINGLE:
        yield from _forbidden(schema.get(name), whole, f"{at}.{name}")
    for name in _OF_SCHEMAS:
        for key, each in (schema.get(name) or {}).items():
            yield from _forbidden(each, whole, f"{at}.{name}.{key}")
    for name in _LISTS:
        for number, each in enumerate(schema.get(name) or ()):
            yield from _forbidden(each, whole, f"{at}.{name}[{number}]")


def _reference_problems(reference: Any, whole: Mapping[str, Any], at: str) -> Iterator[str]:
    if reference is None or reference == "#":
        return
    place, _, name = str(reference).rpartition("/")
    if place not in ("#/$defs", "#/definitions"):
        yield f"{at} refers to {str(reference)[:100]!r}; only #/$defs/<name> of the schema itself can be referred to."
    elif name not in (whole.get(place[2:]) or {}):
        yield f"{at} refers to {reference!r}, and there is no such definition."


def _matches(pattern: str, text: str) -> bool:
    """As JSON Schema has it: anywhere in the text. RE2's time is in proportion to the text."""
    return compile_expression(_MATCHES).evaluate(Scope(inputs={"value": text, "pattern": pattern})) is True


# What the library does by Python's own `re`, or by comparing each with each, is done otherwise.


def _pattern(_validator: Any, pattern: str, instance: Any, _schema: Any) -> Iterator[ValidationError]:
    if isinstance(instance, str):
        try:
            fits = _matches(pattern, instance)
        except ExpressionError as error:
            yield ValidationError(f"its text could not be compared with the pattern ({error.message})")
            return
        if not fits:
            yield ValidationError("pattern")


def _unique(_validator: Any, wanted: bool, instance: Any, _schema: Any) -> Iterator[ValidationError]:
    if wanted and isinstance(instance, list) and len({_identity(each) for each in instance}) < len(instance):
        yield ValidationError("uniqueItems")


def _identity(value: Any) -> Any:
    """The same for equal JSON values: 1 and 1.0 are equal, 1 and true are not."""
    if isinstance(value, dict):
        return "map", frozenset((key, _identity(each)) for key, each in value.items())
    if isinstance(value, list):
        return "list", tuple(map(_identity, value))
    return isinstance(value, bool), value


def _counted(keyword: Callable[..., Any], cost: int) -> Callable[..., Iterator[ValidationError]]:
    def check(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
        _work.left -= cost + (len(value) if isinstance(value, list | dict) else 0)
        if _work.left < 0:
            raise TooMuchWork
        yield from keyword(validator, value, instance, schema) or ()

    return check


_Checked = extend(
    Draft202012Validator,
    {
        name: _counted(keyword, _A_REFERENCE if name == "$ref" else 1)
        for name, keyword in {
            **Draft202012Validator.VALIDATORS,
            "pattern": _pattern,
            "uniqueItems": _unique,
        }.items()
    },
)


def _path(error: ValidationError | SchemaError) -> str:
    """Such as `output.items[3].price`."""
    steps = (f"[{each}]" if isinstance(each, int) else f".{each}" for each in error.absolute_path)
    return ("output" if isinstance(error, ValidationError) else "schema") + "".join(steps)


def _reason(error: ValidationError) -> str:
    rule, value = str(error.validator), error.validator_value
    if rule == "required" and isinstance(error.instance, dict) and isinstance(value, list):
        missing = ", ".join(repr(each) for each in value if each not in error.instance)
        return f"{missing[:_SHOWN]} is missing"
    shown = orjson.dumps(value).decode()
    return f"it breaks the rule {rule}: {shown[:_SHOWN] + (' …' if len(shown) > _SHOWN else '')}"
