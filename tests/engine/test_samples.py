"""Values made up for a declared shape: always the same, always JSON, never large."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.node import Done, Effect
from engine.registry import NODES, discover
from engine.samples import of_schema

discover("nodes")

ANYTHING: Any = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-9, 9)
    | st.sampled_from(["object", "array", "string", "integer", "null", "x"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "properties", "items", "enum", "anyOf", "const", "minItems", "minimum", "format"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "string"}, "sample"),
        ({"type": "string", "format": "date-time"}, "2026-01-01T09:00:00Z"),
        ({"type": ["null", "string"]}, None),
        ({"type": "integer", "minimum": 7}, 7),
        ({"type": "boolean", "default": False}, False),
        ({"examples": [{"a": 1}], "type": "object"}, {"a": 1}),
        ({"oneOf": [{"enum": ["x", "y"]}, {"type": "null"}]}, "x"),
        ({"type": "array", "minItems": 2, "items": {"type": "number"}}, [1.5, 1.5]),
        ({"type": "array", "minItems": 10**9, "items": {}}, [None]),
        ({"properties": {"a": {"type": "object"}}}, {"a": {}}),
        ({}, None),
        (7, None),
    ],
)
def test_a_value_has_the_declared_shape(schema: Any, value: Any) -> None:
    assert of_schema(schema) == value


@settings(max_examples=300, deadline=None)
@given(ANYTHING)
def test_whatever_a_schema_says_the_sample_is_json_and_the_same_again(schema: Any) -> None:
    assert orjson.dumps(of_schema(schema)) == orjson.dumps(of_schema(schema))


def test_a_schema_cannot_make_a_sample_large() -> None:
    deep: Any = {"type": "string"}
    for _ in range(40):
        deep = {"type": "array", "minItems": 20, "items": deep}
    wide = {"properties": {f"name{at}": {"const": "x" * 1000} for at in range(10_000)}}
    for schema in (deep, wide, {"type": "array", "minItems": 20, "items": wide}):
        assert len(orjson.dumps(of_schema(schema))) < 200_000


CONFIGS: dict[str, dict[str, Any]] = {
    "ai-text-processing": {"prompt": "Say"},
    "api-integration": {"url": "https://a.example.com", "expect_status": ["301..399"]},
    "email-sender": {"to": "a@example.com", "subject": "S", "text": "T"},
}


@pytest.mark.parametrize("name", sorted(CONFIGS))
def test_a_node_with_an_effect_has_a_sample_like_what_it_puts_out(name: str) -> None:
    node_type = NODES.get(name)
    assert node_type.effect is not Effect.PURE
    assert node_type.sample is not None
    made = node_type.sample(node_type.config.model_validate(CONFIGS[name]))
    assert not isinstance(made, Done)
    assert (
        set(made)
        == {
            "ai-text-processing": {"text", "data", "model", "provider", "usage", "cost_estimate"},
            "api-integration": {"status", "headers", "body", "elapsed_ms"},
            "email-sender": {"email_sent", "email_id", "message_id", "status", "provider"},
        }[name]
    )
    assert orjson.loads(orjson.dumps(made)) == made
    if name == "api-integration":
        assert made["status"] == 301
