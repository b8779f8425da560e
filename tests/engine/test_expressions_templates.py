"""Templates: what becomes of `{{ }}` anywhere in a JSON value."""

from __future__ import annotations

import html
from typing import Any

import pytest

from engine.expressions import (
    ExpressionError,
    ExpressionProblem,
    Scope,
    compile_template,
    contains_template,
)

SCOPE = Scope(
    input={
        "n": None,
        "list": [1, {"a": "ü"}],
        "map": {"b": 1, "a": [True]},
        "evil": "{{ input.secret }}",
        "secret": "s3",
    },
    inputs={"customer_email": "a@b.c", "amount": 25000, "ratio": 3.5, "whole": 3.0, "name": "<Ada>", "yes": True},
)

RENDERED: list[tuple[Any, Any]] = [
    ("plain", "plain"),
    ("", ""),
    (5, 5),
    (None, None),
    ({"a": [1, None, True]}, {"a": [1, None, True]}),
    ("{{ amount }}", 25000),
    ("{{amount}}", 25000),
    ("{{ ratio }}", 3.5),
    ("{{ input.n }}", None),
    ("{{ yes }}", True),
    ("{{ input.list }}", [1, {"a": "ü"}]),
    ("{{ input.map }}", {"b": 1, "a": [True]}),
    ("{{ customer_email }}", "a@b.c"),
    (" {{ amount }}", " 25000"),
    ("{{ amount }}\n", "25000\n"),
    ("{{ amount }}{{ amount }}", "2500025000"),
    ("Total: {{ amount }} / {{ ratio }} / {{ whole }}", "Total: 25000 / 3.5 / 3"),
    ("n={{ input.n }} yes={{ yes }} no={{ !yes }}", "n= yes=true no=false"),
    ("list {{ input.list }}", 'list [1,{"a":"ü"}]'),
    ("map {{ input.map }}", 'map {"b":1,"a":[true]}'),
    ("{{ 1e20 }}!", "1e+20!"),
    ("{{ 0.1 }}!", "0.1!"),
    ("{{ -2.0 }}!", "-2!"),
    ("Dear {{ name }}, ü", "Dear <Ada>, ü"),
    # data is never read as a template again
    ("{{ input.evil }}", "{{ input.secret }}"),
    ("x {{ input.evil }} y", "x {{ input.secret }} y"),
    # braces and quotes
    ("{{ '{{' }}", "{{"),
    ("a {{ '{{ x }}' }} b", "a {{ x }} b"),
    ("{{ '}}' }}", "}}"),
    ('{{ "\\"}}" }}', '"}}'),
    ("{{ '''}}''' }}", "}}"),
    ("{{ r'\\' }}", "\\"),
    ("{{ {'a': 1} }}", {"a": 1}),
    ("{{ {'a': {'b': 1}}}}", {"a": {"b": 1}}),
    ("{{{'a': {}}}}", {"a": {}}),
    ("x{{ {'a': {'b': 1}}.a.b }}y", "x1y"),
    ("}} { } {", "}} { } {"),
    ("a } b {{ amount }} }}", "a } b 25000 }}"),
    ("{ {amount} }", "{ {amount} }"),
    ("{{\n amount\n + 1 }}", 25001),
    # nested values; keys are literal
    (
        {"to": ["{{ customer_email }}", "x"], "headers": {"X-Id": "id-{{ amount }}", "{{ amount }}": 1}},
        {"to": ["a@b.c", "x"], "headers": {"X-Id": "id-25000", "{{ amount }}": 1}},
    ),
    ([["{{ amount }}"], []], [[25000], []]),
    ("{{ [1, 2].map(x, x * amount) }}", [25000, 50000]),
]


@pytest.mark.parametrize(("template", "value"), RENDERED, ids=[repr(template) for template, _ in RENDERED])
def test_a_template_renders_to_its_exact_value(template: Any, value: Any) -> None:
    result = compile_template(template).render(SCOPE)

    assert result == value
    assert type(result) is type(value)


def test_with_escape_every_interpolated_value_is_text_and_escaped() -> None:
    scope = Scope(inputs={"name": "<Ada>", "list": ["<i>"], "n": None, "amount": 3.0})

    def rendered(template: str) -> Any:
        return compile_template(template).render(scope, html.escape)

    assert rendered("<b>{{ name }}</b>") == "<b>&lt;Ada&gt;</b>"
    assert rendered("{{ name }}") == "&lt;Ada&gt;"
    assert rendered("{{ list }}") == "[&quot;&lt;i&gt;&quot;]"
    assert rendered("{{ amount }}{{ n }}") == "3"
    assert rendered("{{ n }}") == ""
    assert rendered("<p>") == "<p>"


def test_a_literal_is_returned_as_it_is() -> None:
    value = {"a": ["x", 1]}
    template = compile_template(value)

    assert template.literal
    assert template.expressions == []
    assert template.render(Scope()) is value


def test_expressions_are_listed_with_their_paths() -> None:
    template = compile_template({"to": ["a", "{{ x }}-{{ steps.s.y }}"], "headers": {"X-Id": "{{ input.z }}"}})

    assert [(path, expression.source.strip()) for path, expression in template.expressions] == [
        ("to[1]", "x"),
        ("to[1]", "steps.s.y"),
        ("headers.X-Id", "input.z"),
    ]
    assert not template.literal


@pytest.mark.parametrize(
    ("template", "path", "position", "message"),
    [
        ("a {{ b", "", 2, "This {{ is never closed; write }} after the expression."),
        ("{{ 'a }}", "", 3, "The text that starts here has no closing quote."),
        ("{{ }}", "", 0, "There is nothing between {{ and }}."),
        ("a {{ 1 + }}", "", 9, "The expression ends too early."),
        ({"to": ["x", "hi {{ a b }}"]}, "to[1]", 8, "An operator such as + or && is missing before b."),
        ({"headers": {"X-Id": "{{ lowr(a) }}"}}, "headers.X-Id", 3, "There is no function lowr(); did you mean lower"),
        ([[{"a": "{{ steps }}"}]], "[0][0].a", 3, "steps needs the id of a step"),
        ("{{ " + "a" * 5000 + " }}", "", 2, "An expression is at most 4096 bytes long"),
    ],
)
def test_a_problem_names_the_path_and_the_place_in_the_text(
    template: Any, path: str, position: int, message: str
) -> None:
    with pytest.raises(ExpressionProblem) as caught:
        compile_template(template)

    assert caught.value.path == path
    assert caught.value.position == position
    assert caught.value.message.startswith(message)


def test_an_error_names_the_path() -> None:
    template = compile_template({"to": ["{{ customer_email }}", "{{ nope }}"]})

    with pytest.raises(ExpressionError, match="There is no input called 'nope'") as caught:
        template.render(SCOPE)

    assert caught.value.path == "to[1]"
    assert caught.value.available[:2] == ["amount", "customer_email"]


def test_text_is_bounded() -> None:
    template = compile_template("{{ s }} {{ s }} {{ s }}")

    with pytest.raises(ExpressionError, match="The text becomes larger than 8 MiB"):
        template.render(Scope(inputs={"s": "x" * (3 << 20)}))


def test_depth_is_bounded() -> None:
    value: Any = "{{ a }}"
    for _ in range(70):
        value = [value]

    with pytest.raises(ExpressionProblem, match="nested more than 64 deep"):
        compile_template(value)


@pytest.mark.parametrize(
    ("value", "answer"),
    [("a", False), ("{{", True), ({"a": ["{{ x }}"]}, True), ({"{{ x }}": 1}, False), (3, False), (None, False)],
)
def test_contains_template(value: Any, answer: bool) -> None:
    assert contains_template(value) is answer
