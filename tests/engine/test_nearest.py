"""Names that are nearly right, and that looking for them has an end."""

from __future__ import annotations

import difflib
from typing import Any

import pytest

from engine.expressions import ExpressionError, Scope, compile_expression
from engine.graph import check
from engine.nearest import LONGEST, MOST, at_most, nearest

LOOKS = 20 * MOST  # comparisons that one definition may cost


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Every look there was: the name, and how many it was compared with."""
    looks: list[tuple[str, int]] = []

    def count(name: str, known: list[str], **more: Any) -> list[str]:
        looks.append((name, len(known)))
        return difflib.get_close_matches(name, known, **more)

    monkeypatch.setattr("engine.nearest.get_close_matches", count)
    return looks


def test_the_nearest_name_is_found() -> None:
    assert nearest("custmer", ["customer", "order"]) == ["customer"]
    assert nearest("zzz", ["customer", "order"]) == []
    assert nearest("custome", ["customer", "customers", "custom"], count=2) == ["customer", "custom"]


def test_long_names_and_many_are_not_compared(compared: list[tuple[str, int]]) -> None:
    assert nearest("a" * (LONGEST + 1), ["a" * LONGEST]) == []
    assert nearest("a", ["a" * (LONGEST + 1), *(f"b{at}" for at in range(1000))]) == []
    assert compared == [("a", MOST)]


def test_patience_is_shared_by_what_is_inside(compared: list[tuple[str, int]]) -> None:
    with at_most(3):
        nearest("a", ["b"])
        with at_most(20):
            for _ in range(5):
                nearest("a", ["b"])
        nearest("a", ["b"])
    assert len(compared) == 3
    nearest("a", ["b"])
    assert len(compared) == 4


@pytest.mark.parametrize(
    "definition",
    [
        {
            "nodes": [{"id": f"node-{'x' * 40}-{at}", "type": "start"} for at in range(2000)],
            "edges": [
                {"id": f"e{at}", "source_node_id": f"node-{'x' * 40}-{at}a", "target_node_id": f"node-{'x' * 40}-1"}
                for at in range(2000)
            ],
        },
        {"nodes": [{"id": f"n{at}", "type": f"api-integratio{at}"} for at in range(2000)], "edges": []},
        {
            "nodes": [
                {"id": f"n{at}", "type": "delay", "config": {"seconds": 1, f"timeout_second{at}": 1}}
                for at in range(2000)
            ],
            "edges": [],
        },
        {
            "nodes": [
                {"id": f"n{at}", "type": "delay", "config": {"seconds": f"{{{{ uper{at}(input.x) }}}}"}}
                for at in range(2000)
            ],
            "edges": [],
        },
    ],
    ids=["ids", "types", "settings", "functions"],
)
def test_a_definition_of_mistakes_only_is_told_without_a_look_for_each(
    definition: dict[str, Any], compared: list[tuple[str, int]]
) -> None:
    assert len(check(definition)) >= 2000
    assert sum(known for _, known in compared) <= LOOKS


def test_a_name_that_is_not_there_is_not_compared_with_everything(compared: list[tuple[str, int]]) -> None:
    data = {f"customer{at}": 1 for at in range(5000)}
    with pytest.raises(ExpressionError, match="Did you mean"):
        compile_expression("input.custmer1").evaluate(Scope(input=data))
    with pytest.raises(ExpressionError, match="input has no"):
        compile_expression(f'input["{"x" * 3000}"]').evaluate(Scope(input=data))
    assert sum(known for _, known in compared) <= MOST
