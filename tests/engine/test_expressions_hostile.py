"""Expressions and data that mean harm: an ExpressionProblem or ExpressionError, bounded, and without side effects."""

from __future__ import annotations

import resource
import sys
import threading
from typing import Any

import pytest

from engine.expressions import ExpressionError, ExpressionProblem, Scope, compile_expression, compile_template
from tests.engine.hostile_expressions import DATA, FAILING, HARMLESS, MIB
from tests.engine.refused_expressions import REFUSED


@pytest.mark.parametrize("source", REFUSED, ids=range(len(REFUSED)))
def test_hostile_source_is_refused_when_compiled(source: str) -> None:
    with pytest.raises(ExpressionProblem) as caught:
        compile_expression(source)

    problem = caught.value
    assert problem.source == source
    assert problem.position is None or 0 <= problem.position <= len(source)
    assert_teaches(problem.message, source)


@pytest.mark.parametrize("source", FAILING, ids=range(len(FAILING)))
def test_hostile_evaluation_ends_in_an_error(source: str) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    with pytest.raises((ExpressionError, ExpressionProblem)) as caught:
        compile_expression(source).evaluate(Scope(input=DATA, now="2026-01-01T00:00:00Z"))

    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    assert grown <= 64 * MIB
    assert_teaches(caught.value.message, source)
    assert "s3cret" not in caught.value.message


def assert_teaches(message: str, source: str) -> None:
    """One sentence, with none of the engine's own words unless the source has them."""
    assert message.endswith((".", "?"))
    assert len(message) <= 700
    for leak in ("<input>", "container", "v__", "f__", "c__", "INVALID", "UNKNOWN", "int64", "null_type", "object at"):
        assert leak not in message or leak in source


def test_the_corpus_is_large() -> None:
    assert len(REFUSED) + len(FAILING) >= 200


@pytest.mark.parametrize(("source", "value"), HARMLESS, ids=range(len(HARMLESS)))
def test_what_only_looks_hostile_has_its_value(source: str, value: Any) -> None:
    assert compile_expression(source).evaluate(Scope(input=DATA)) == value


def test_text_from_data_is_never_evaluated_again() -> None:
    template = compile_template({"a": "{{ input.evil }}", "b": "-{{ input.evil }}-", "c": "{{ input.a + input.b }}"})

    rendered = template.render(
        Scope(input={"evil": "{{ input.secret }}", "secret": "s3", "a": "{", "b": "{ input.x }}"})
    )

    assert rendered == {"a": "{{ input.secret }}", "b": "-{{ input.secret }}-", "c": "{{ input.x }}"}


def test_data_nested_too_deep_is_refused() -> None:
    value: Any = 1
    for _ in range(900):
        value = [value]

    for source in ("input", "size(input)", "input == input", "input.map(x, x)"):
        with pytest.raises(ExpressionError, match="nested more than 100 deep"):
            compile_expression(source).evaluate(Scope(input=value))


_watching = threading.local()
_seen: list[str] = []


def _watch(event: str, _: Any) -> None:
    if getattr(_watching, "on", False):
        _seen.append(event)


@pytest.fixture(scope="module")
def audited() -> list[str]:
    """Audit events of this thread while `_watching.on`. A hook cannot be taken away again, so it is switched."""
    sys.addaudithook(_watch)
    return _seen


def test_evaluation_in_process_touches_nothing_outside(audited: list[str]) -> None:
    sources = [source for source, _ in HARMLESS] + FAILING
    expressions = [
        compile_expression(source) for source in sources if ".map(" not in source and "matches" not in source
    ]
    scope = Scope(input={**DATA, "mib": "x" * 1000}, now="2026-01-01T00:00:00Z")
    evaluate_all(expressions, scope)
    audited.clear()

    _watching.on = True
    try:
        evaluate_all(expressions, scope)
    finally:
        _watching.on = False

    quiet = {"object.__getattr__", "object.__setattr__", "sys._getframe", "gc.get_objects"}
    assert len(expressions) > 60
    assert [event for event in audited if event not in quiet] == []


def evaluate_all(expressions: list[Any], scope: Scope) -> None:
    for expression in expressions:
        if expression._reading.looping:
            continue
        try:
            expression.evaluate(scope)
        except ExpressionError:
            continue
