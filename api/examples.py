"""An example for every shape of the OpenAPI document: the one a model gives itself, else one made from its JSON Schema.

Fields that mean the same everywhere look the same everywhere (`_BY_NAME`); ids differ by field, so that one sees which is which.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

Schema = Mapping[str, Any]

MOMENT = "2025-08-08T10:30:00Z"
_LATER = "2025-08-08T10:32:30Z"

# A field's usual value. It is taken only where it has the type that the schema wants.
_BY_NAME: Mapping[str, Any] = {
    "access_token": "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9…",
    "action": "run",
    "aliases": ["email"],
    "attempt": 1,
    "attempts": 1,
    "average_duration": 45.2,
    "category": "sales",
    "checksum": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "company": "AutoDealer Inc.",
    "completed_at": _LATER,
    "config_schema": {"type": "object", "properties": {"to": {"type": "string"}}},
    "created_by_email": "user@example.com",
    "created_by_name": "John Doe",
    "current_step": "send_email",
    "deal_amount": 25000,
    "description": "Automated customer follow-up process",
    "duration": 150.5,
    "duration_ms": 150500.0,
    "edge_id": None,
    "edges": [{"id": "e1", "source": "start", "target": "send_email"}],
    "email": "user@example.com",
    "endpoint_url": "https://models.example.com/lead-scorer",
    "error": None,
    "error_code": None,
    "error_message": None,
    "event": "deal.signed",
    "execution_count": 42,
    "expires_in": 1800,
    "failed_executions": 4,
    "field": "config.to",
    "first_name": "John",
    "input_data": {"customer_email": "customer@example.com", "deal_amount": 25000},
    "key": "0198884b-6f40-7c1e-8f3a-2b6d9c0e4f51/send_email/0",
    "last_name": "Doe",
    "level": "info",
    "limit": 10,
    "media_type": "text/csv",
    "message": "Send Follow-up Email has no recipient.",
    "mode": "failed",
    "model_id": "lead-scorer",
    "name": "Customer Follow-up Workflow",
    "node_id": "send_email",
    "node_name": "Send Follow-up Email",
    "node_type": "email-sender",
    "nodes": [{"id": "start", "type": "start"}, {"id": "send_email", "type": "email"}],
    "note": "Checked in the outbox.",
    "organization_name": "AutoDealer Inc.",
    "output": {"email_sent": True},
    "output_data": {"email_sent": True},
    "page": 1,
    "parameter_count": 3,
    "page_size": 10,
    "password": "secure_password",
    "people": [{"email": "manager@example.com", "name": "Jane Smith"}],
    "permissions": ["workflow:read", "workflow:create"],
    "port": "out",
    "progress": 100.0,
    "provider": "openai",
    "rating": 4.5,
    "receipt": "msg-42",
    "refresh_token": "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9…",
    "role": "admin",
    "roles": ["user", "admin"],
    "sentence": "It waits for an answer.",
    "settings": {"timeout_seconds": 600},
    "severity": "error",
    "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "size": 2048,
    "status": "completed",
    "successful_executions": 38,
    "step_id": "send_email",
    "summary": "It ended as it should.",
    "tags": ["sales", "follow-up"],
    "target_system": "relaycore",
    "title": "Approve the discount?",
    "token": "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9…",
    "total": 1,
    "total_executions": 42,
    "total_pages": 1,
    "triggers": [{"type": "manual"}],
    "type": "email-sender",
    "usage_count": 15,
    "variables": [{"name": "rate", "type": "number", "default_value": 2}],
    "version": "1.2",
    "what": "mail to 1 person",
    "workflow_version": 3,
}
_BY_FORMAT: Mapping[str, Any] = {
    "date-time": MOMENT,
    "date": "2025-08-08",
    "edge_id": None,
    "edges": [{"id": "e1", "source": "start", "target": "send_email"}],
    "email": "user@example.com",
    "uri": "https://example.com",
    "password": "secure_password",
}
_BY_TYPE: Mapping[str, Any] = {"integer": 1, "number": 1.5, "boolean": True, "string": "text", "null": None}
_FITS: Mapping[str, tuple[type, ...]] = {
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "string": (str,),
    "array": (list,),
    "object": (dict,),
    "null": (type(None),),
}
_DEEPEST = 8


def example_of(schema: Schema, named: Mapping[str, Schema], field: str = "", depth: int = 0) -> Any:
    """A value that fits the schema. `named` are the document's schemas by name; `field` is what the value is called."""
    if "$ref" in schema:
        return example_of(named[schema["$ref"].rpartition("/")[2]], named, field, depth + 1)
    for given in [schema["example"]] if "example" in schema else schema.get("examples", []):
        return _completed(given, schema, named, depth)
    if schema.get("default") is not None:
        return schema["default"]
    if "const" in schema or schema.get("enum"):
        usual = _BY_NAME.get(field)
        choices = [schema["const"]] if "const" in schema else schema["enum"]
        return usual if usual in choices else choices[0]
    for variants in ("oneOf", "anyOf", "allOf"):
        if schema.get(variants):
            return _of_variants(schema[variants], named, field, depth)
    return _of_type(schema, named, field, depth)


def _completed(given: Any, schema: Schema, named: Mapping[str, Schema], depth: int) -> Any:
    """A model's own example with what the schema asks for and the example leaves out, at any depth."""
    if "$ref" in schema:
        return _completed(given, named[schema["$ref"].rpartition("/")[2]], named, depth)
    if schema.get("anyOf") and given is not None:
        return _completed(given, next(each for each in schema["anyOf"] if each.get("type") != "null"), named, depth)
    if not isinstance(given, dict) or "properties" not in schema:
        return given
    asked = {
        name: example_of(schema["properties"][name], named, name, depth + 1)
        for name in schema.get("required", ())
        if name not in given
    }
    known = schema["properties"]
    return {name: _completed(each, known.get(name, {}), named, depth) for name, each in given.items()} | asked


def _of_variants(variants: list[Schema], named: Mapping[str, Schema], field: str, depth: int) -> Any:
    """Null where that says most, such as the error of what went well or the end of a shape that holds itself."""
    can_be_null = any(each.get("type") == "null" for each in variants)
    if can_be_null and ((field in _BY_NAME and _BY_NAME[field] is None) or depth > _DEEPEST):
        return None
    return example_of(next(each for each in variants if each.get("type") != "null"), named, field, depth)


def _of_type(schema: Schema, named: Mapping[str, Schema], field: str, depth: int) -> Any:
    kind = schema.get("type", "")
    if kind == "string" and schema.get("format") == "uuid":
        return _uuid(field)
    if kind == "string" and schema.get("format") in _BY_FORMAT:
        return _LATER if field == "completed_at" else _BY_FORMAT[schema["format"]]
    usual = _BY_NAME.get(field)
    if usual is not None and (not kind or isinstance(usual, _FITS[kind])) and _within(usual, schema):
        return usual
    if kind == "object" or "properties" in schema:
        return _of_object(schema, named, depth)
    if kind == "array":
        item = schema.get("items", {})
        return [] if depth > _DEEPEST or not item else [example_of(item, named, _singular(field), depth + 1)]
    return _number(schema) if kind in ("integer", "number") else _BY_TYPE.get(kind)


def _of_object(schema: Schema, named: Mapping[str, Schema], depth: int) -> dict[str, Any]:
    made = {
        name: example_of(each, named, name, depth + 1)
        for name, each in schema.get("properties", {}).items()
        if depth <= _DEEPEST or name in schema.get("required", ())
    }
    more = schema.get("additionalProperties")
    if not made and isinstance(more, Mapping) and depth <= _DEEPEST:
        made["name"] = example_of(more, named, "", depth + 1)
    return made


def _within(value: Any, schema: Schema) -> bool:
    """Whether a usual value keeps this field's own bounds."""
    if isinstance(value, str):
        return len(value) <= int(schema.get("maxLength", len(value))) and "pattern" not in schema
    if isinstance(value, list):
        item = schema.get("items", {})
        return "$ref" not in item and (not value or isinstance(value[0], _FITS.get(item.get("type"), (object,))))
    if isinstance(value, dict):
        return "properties" not in schema
    if isinstance(value, int | float):
        return bool(schema.get("minimum", value) <= value <= schema.get("maximum", value))
    return True


def _number(schema: Schema) -> Any:
    usual = _BY_TYPE[schema["type"]]
    return usual if _within(usual, schema) else schema.get("minimum", schema.get("maximum"))


def _singular(field: str) -> str:
    return field.removesuffix("s")


def _uuid(field: str) -> str:
    """An id of version 7 that depends on the field's name alone."""
    digits = hashlib.sha256(field.encode()).hexdigest()
    return f"0198884b-{digits[:4]}-7{digits[4:7]}-8{digits[7:10]}-{digits[10:22]}"
