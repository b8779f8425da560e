from typing import Any

import pytest

from engine.node import Done, Failed
from engine.testing import FakeStep, problems_of, run_node


def transform(config: dict[str, Any], **step: Any) -> Any:
    return run_node("data-transformation", config, FakeStep(**step))


def test_set_makes_a_map_and_dotted_names_nest() -> None:
    config = {"set": {"name": "Jane", "address.city": "Austin", "address.geo.lat": 30.2}}
    assert transform(config) == Done({"name": "Jane", "address": {"city": "Austin", "geo": {"lat": 30.2}}})


def test_the_result_starts_from_a_map_that_stays_as_it_was() -> None:
    base = {"a": {"b": 1}, "c": 2}
    outcome = transform({"from": base, "set": {"a.d": 3}, "remove": ["c", "a.b", "a.nothing", "no.thing"]})
    assert outcome == Done({"a": {"d": 3}})
    assert base == {"a": {"b": 1}, "c": 2}


def test_set_without_from_starts_empty() -> None:
    assert transform({"set": {"a": 1}}, input={"b": 2}) == Done({"a": 1})


def test_an_expression_gives_the_whole() -> None:
    assert transform({"expression": '{"double": input.n * 2}'}, input={"n": 4}) == Done({"double": 8})
    assert transform({"expression": "[input.n, 1]"}, input={"n": 4}) == Done([4, 1])


def test_an_expression_must_give_a_map_or_a_list() -> None:
    outcome = transform({"expression": "input.n"}, input={"n": 4})
    assert isinstance(outcome, Failed)
    assert outcome.code == "expression"
    assert "it must give a map or a list, and gives a number" in outcome.message


def test_without_settings_what_arrives_is_handed_on() -> None:
    assert transform({}, input={"a": 1}) == Done({"a": 1})


def test_a_name_cannot_nest_under_a_value() -> None:
    outcome = transform({"from": {"a": 1}, "set": {"a.b": 2}})
    assert outcome == Failed(
        "rejected",
        "set: 'a.b' cannot be set, because 'a' already holds a value that is no map.",
        {"field": "set.a.b"},
    )


def test_a_base_that_turns_out_to_be_no_map() -> None:
    outcome = transform({"from": [1], "set": {"a": 1}})
    assert isinstance(outcome, Failed)
    assert "from: The result can only start from a map" in outcome.message


@pytest.mark.parametrize(
    ("config", "place"),
    [
        ({"expression": "input", "set": {"a": 1}}, "expression"),
        ({"from": "text", "set": {"a": 1}}, "from"),
        ({"set": {"a..b": 1}}, "set"),
        ({"remove": [""]}, "set"),
    ],
)
def test_mistakes_are_found_when_it_is_saved(config: dict[str, Any], place: str) -> None:
    assert [where for where, _ in problems_of("data-transformation", config)] == [place]


def test_a_template_is_no_mistake() -> None:
    assert problems_of("data-transformation", {"from": "{{ input }}", "set": {"a": "{{ now }}"}}) == []
