"""What valid expressions mean: exact values, and what of the scope they read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from engine.expressions import FUNCTIONS, ExpressionError, Scope, compile_expression
from tests.engine.valid_expressions import SCOPE, VALUES


@pytest.mark.parametrize(("source", "value"), VALUES, ids=[source for source, _ in VALUES])
def test_a_valid_expression_has_its_exact_value(source: str, value: Any) -> None:
    result = compile_expression(source).evaluate(SCOPE)

    assert result == value
    assert type(result) is type(value)


def test_the_corpus_is_large() -> None:
    assert len(VALUES) >= 150


def test_what_an_expression_reads_is_known_without_evaluating() -> None:
    expression = compile_expression(
        "input.a > 1 && customer_email != '' && has(steps.pay) && steps['x-y'].z == xs.map(v, v + rate)"
    )

    assert expression.roots == {"input", "customer_email", "steps", "xs", "rate"}
    assert expression.bare == {"customer_email", "xs", "rate"}
    assert expression.steps == {"pay", "x-y"}


def test_braces_around_the_whole_are_allowed() -> None:
    assert compile_expression(" {{ input.amount > 100 }} ").evaluate(SCOPE) is True
    assert compile_expression("{{ {'a': {'b': 1}}.a.b }}").evaluate(SCOPE) == 1


def test_compiling_the_same_source_twice_gives_the_same_expression() -> None:
    assert compile_expression("input.a + 1") is compile_expression("input.a + 1")


class LazySteps(Mapping[str, Any]):
    """Fails if anything but the named steps is computed."""

    def __getitem__(self, key: str) -> Any:
        return {"a": {"x": 1}}[key]

    def __iter__(self) -> Iterator[str]:
        raise AssertionError("steps were listed")

    def __len__(self) -> int:
        raise AssertionError("steps were counted")


def test_only_the_steps_that_are_named_are_looked_up() -> None:
    scope = Scope(steps=LazySteps())

    assert compile_expression("steps.a.x + 1").evaluate(scope) == 2
    assert compile_expression("has(steps.b)").evaluate(scope) is False


def test_one_unusable_value_does_not_spoil_its_neighbours() -> None:
    scope = Scope(input={"good": 1, "huge": 2**70, "nan": float("nan"), "half": "\ud800", "object": object()})

    assert compile_expression("input.good + 1").evaluate(scope) == 2
    for name in ("huge", "nan", "half", "object"):
        for source in (f"input.{name}", f"[input.{name}]", f"default(input.{name}, 1)", f"[1].map(i, input.{name})"):
            with pytest.raises(ExpressionError, match=f"input.{name} holds "):
                compile_expression(source).evaluate(scope)


def test_values_are_copied_never_changed() -> None:
    scope = Scope(input={"b": [1, {"c": 2}], "a": 1})

    result = compile_expression("input").evaluate(scope)
    result["b"].append(3)

    assert scope.input == {"b": [1, {"c": 2}], "a": 1}
    assert list(result) == ["b", "a"]


def test_maps_that_are_no_dicts_are_read_too() -> None:
    class Layers(Mapping[str, Any]):
        def __getitem__(self, key: str) -> Any:
            return {"a": (1, 2)}[key]

        def __iter__(self) -> Iterator[str]:
            return iter(["a"])

        def __len__(self) -> int:
            return 1

    assert compile_expression("a[1] + inputs.a[0]").evaluate(Scope(inputs=Layers())) == 3
    assert compile_expression("inputs").evaluate(Scope(inputs=Layers())) == {"a": [1, 2]}


def test_every_function_has_a_line_of_help_that_starts_with_its_name() -> None:
    wanted = (
        "has get default number text json lower upper trim title join split replace round floor ceil abs min max sum"
        " avg length contains first last keys values unique sort slice days_between add_seconds format_date coalesce"
    )

    assert set(wanted.split()) == set(FUNCTIONS)
    assert list(FUNCTIONS) == sorted(FUNCTIONS)
    assert all(line.startswith(f"{name}(") and "\n" not in line for name, line in FUNCTIONS.items())
