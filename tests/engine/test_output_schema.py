"""`output_schema`: what is checked, what is refused when a workflow is saved, and that checking is bounded."""

from __future__ import annotations

from typing import Any

import pytest
from small_graphs import REGISTRY, compiled, definition, new_run, step_of

from engine.graph import check
from engine.node import Done, Failed
from engine.output_schema import MAX_SCHEMA, misfit, problems_of
from engine.perform import perform, prepare

PRICES = {
    "type": "object",
    "required": ["items"],
    "properties": {"items": {"type": "array", "items": {"$ref": "#/$defs/item"}}},
    "$defs": {"item": {"type": "object", "required": ["price"], "properties": {"price": {"type": "number"}}}},
}


@pytest.mark.parametrize(
    ("schema", "output", "told"),
    [
        (PRICES, {"items": [{"price": 1}, {"price": 2.5}]}, None),
        (
            PRICES,
            {"items": [{"price": 1}, {"price": "hidden"}]},
            'output.items[1].price: it breaks the rule type: "number"',
        ),
        (PRICES, {"items": [{}]}, "output.items[0]: 'price' is missing"),
        (PRICES, [], 'output: it breaks the rule type: "object"'),
        ({"pattern": "^[A-Z]{2}$"}, "DE", None),
        ({"pattern": "^[A-Z]{2}$"}, "de", 'output: it breaks the rule pattern: "^[A-Z]{2}$"'),
        ({"pattern": "b"}, "abc", None),
        ({"uniqueItems": True}, [1, True, "1", {"a": 1}, {"a": 2}], None),
        ({"uniqueItems": True}, [{"a": [1]}, {"a": [1.0]}], "output: it breaks the rule uniqueItems: true"),
        ({"properties": {"pattern": {"type": "string"}}}, {"pattern": "(", "$ref": 1}, None),
    ],
)
def test_an_output_is_compared_with_its_schema(schema: dict[str, Any], output: Any, told: str | None) -> None:
    assert problems_of(schema) == []
    assert misfit(schema, output) == told


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        ({"type": "nonsense"}, "It is no JSON Schema (2020-12) at schema.type"),
        ({"$ref": "https://example.com/schema"}, "only #/$defs/<name> of the schema itself"),
        ({"items": {"$ref": "file:///etc/passwd"}}, "the schema.items refers to 'file:///etc/passwd'"),
        ({"$ref": "#/$defs/none"}, "there is no such definition"),
        ({"patternProperties": {"^a": {}}}, "uses patternProperties"),
        ({"anyOf": [{"pattern": "(?=a)"}]}, "the schema.anyOf[0] has a pattern that RE2 cannot read"),
        ({"$id": "https://example.com"}, "uses $id"),
        ({"description": "x" * MAX_SCHEMA}, "A schema may have 64 KiB"),
    ],
)
def test_a_schema_that_cannot_be_followed_is_refused_when_it_is_saved(schema: dict[str, Any], told: str) -> None:
    found = check(definition({"a": {"output_schema": schema}}), REGISTRY)
    assert [each.place for each in found] == ["nodes.a.config.output_schema"]
    assert told in found[0].message


def test_a_pattern_takes_time_in_proportion_to_the_text() -> None:
    """Python's own `re` would not come back from this one."""
    assert misfit({"pattern": "^(a+)+$"}, "a" * 100 + "b") == 'output: it breaks the rule pattern: "^(a+)+$"'


def test_a_schema_that_doubles_its_work_is_stopped() -> None:
    levels = {f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(40)}
    schema = {"$ref": "#/$defs/d0", "$defs": {**levels, "d40": {}}}
    assert problems_of(schema) == []
    told = misfit(schema, 1)
    assert told is not None
    assert told.startswith("the output takes too many comparisons")


def test_a_schema_that_refers_to_itself_without_end_is_stopped() -> None:
    assert misfit({"$ref": "#"}, 1) == "the schema or the output is nested too deeply to be checked"


def outcome(value: Any, schema: Any, **more: Any) -> Any:
    graph = compiled({"a": {"value": value, "output_schema": schema, **more}})
    run = new_run(graph)
    step = step_of(run, graph.nodes[0])
    config = prepare(graph.nodes[0], step.scope)
    assert not isinstance(config, Failed)
    return perform(graph.nodes[0], config, step, max_output_bytes=1000)


def test_a_step_whose_output_does_not_fit_fails_without_telling_the_value() -> None:
    schema = {"type": "object", "properties": {"age": {"type": "integer"}}}
    assert outcome({"age": 3}, schema) == Done({"age": 3})
    told = 'output.age: it breaks the rule type: "integer"'
    message = f"The output of 'a' does not fit its output_schema. {told}."
    assert outcome({"age": "secret"}, schema) == Failed("output", message, {"schema": told})
