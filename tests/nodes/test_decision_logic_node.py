from typing import Any

import pytest

from engine.node import Done, Failed
from engine.registry import NODES
from engine.testing import FakeStep, problems_of, run_node

CASES = {
    "cases": [{"port": "hot", "when": "input.score > 80"}, {"port": "warm", "when": "input.score > 40"}],
    "default": "cold",
}


def decide(config: dict[str, Any], value: Any) -> Any:
    return run_node("decision-logic", config, FakeStep(input=value))


def ports(config: dict[str, Any]) -> list[str]:
    node_type = NODES.get("decision-logic")
    return list(node_type.outputs(node_type.config.model_validate(config)))


@pytest.mark.parametrize(("amount", "port"), [(250, "true"), (50, "false")])
def test_a_condition_chooses_between_true_and_false(amount: int, port: str) -> None:
    outcome = decide({"condition": "input.amount > 100"}, {"amount": amount})
    assert outcome == Done({"decision": port, "value": amount > 100}, port=port)


def test_braces_around_a_condition_are_allowed() -> None:
    assert decide({"condition": "{{ input.amount > 100 }}"}, {"amount": 250}).port == "true"


@pytest.mark.parametrize(("score", "port"), [(90, "hot"), (50, "warm"), (10, "cold")])
def test_the_first_true_case_is_taken_else_the_default(score: int, port: str) -> None:
    outcome = decide(CASES, {"score": score})
    assert (outcome.port, outcome.output["decision"]) == (port, port)
    assert outcome.output["value"] is (None if port == "cold" else True)


def test_without_settings_the_edges_decide() -> None:
    assert decide({}, {"a": 1}) == Done({"decision": "out", "value": {"a": 1}}, port="out")


def test_the_ports_follow_from_the_settings() -> None:
    assert ports({"condition": "true"}) == ["true", "false"]
    assert ports(CASES) == ["hot", "warm", "cold"]
    assert ports({"cases": [{"port": "a", "when": "true"}, {"port": "a", "when": "false"}]}) == ["a", "default"]
    assert ports({}) == ["out"]


@pytest.mark.parametrize(
    ("value", "shown", "mend"),
    [
        ("yes", "'yes'", 'input.x != ""'),
        (3, "3", "input.x > 0"),
        (None, "null", "input.x != null"),
        ([1, 2], "a list of 2", "input.x != []"),
        ({"a": 1}, "a map of 1", "input.x != {}"),
    ],
)
def test_a_condition_must_be_a_yes_or_no(value: Any, shown: str, mend: str) -> None:
    outcome = decide({"condition": "input.x"}, {"x": value})
    assert isinstance(outcome, Failed)
    assert outcome.code == "expression"
    assert outcome.message == (
        f"condition: 'input.x' must be true or false, and is {shown}. Compare it with something, for example {mend}."
    )


def test_a_case_that_is_no_yes_or_no_is_named() -> None:
    outcome = decide({"cases": [{"port": "a", "when": "false"}, {"port": "b", "when": "1"}]}, None)
    assert isinstance(outcome, Failed)
    assert outcome.details == {"field": "cases[1].when"}


def test_mistakes_are_found_when_it_is_saved() -> None:
    assert [where for where, _ in problems_of("decision-logic", {"condition": "true", **CASES})] == ["cases"]
    named_error = {"cases": [{"port": "error", "when": "true"}]}
    assert "kept for failures" in problems_of("decision-logic", named_error)[0][1]
    assert problems_of("decision-logic", CASES) == []
