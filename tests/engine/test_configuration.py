"""A node's configuration: what is checked when it is saved and what is filled in when it runs."""

from __future__ import annotations

from typing import Any

import pytest
from small_graphs import NOW, REGISTRY

from engine.configuration import CheckedConfig, check_config
from engine.expressions import ExpressionError, Scope

FORM = REGISTRY.get("form")
SCOPE = Scope(input={"n": 3, "who": "<b>Ann</b>"}, inputs={"limit": 4}, steps={"a": {"x": 1}}, now=NOW)


def checked(**raw: Any) -> CheckedConfig:
    return check_config(FORM, {"count": 1, **raw})


def test_literal_settings_are_validated() -> None:
    assert checked(count="five").errors == [
        ("count", "Input should be a valid integer, unable to parse string as an integer (How many.).")
    ]


def test_a_template_is_forgiven_until_it_runs() -> None:
    found = checked(count="{{ input.n }}")
    assert found.errors == []
    assert found.template.render(SCOPE) == {"count": 3}


def test_a_template_keeps_the_type_of_a_lone_value_and_becomes_text_otherwise() -> None:
    assert checked(title="{{ input.n }}").template.render(SCOPE)["title"] == 3
    assert checked(title="no. {{ input.n }}").template.render(SCOPE)["title"] == "no. 3"


def test_forgiving_one_setting_does_not_forgive_another() -> None:
    found = check_config(FORM, {"count": "{{ input.n }}", "title": [1]})
    assert [place for place, _ in found.errors] == ["title"]


def test_the_settings_all_nodes_have_are_read_although_another_is_a_template() -> None:
    found = checked(count="{{ input.n }}", on_error="continue", retry={"max_attempts": 4})
    assert (found.settings.on_error, found.settings.retry.max_attempts) == ("continue", 4)


def test_a_broken_template_is_told_with_its_place() -> None:
    [(place, message)] = checked(title="{{ input. }}").errors
    assert place == "title"
    assert message


def test_bare_expressions_are_compiled_and_not_rendered() -> None:
    found = checked(when="input.n > 2")
    assert [(path, each.source) for path, each in found.template.expressions] == [("when", "input.n > 2")]
    assert found.template.render(SCOPE)["when"] == "input.n > 2"


def test_bare_expressions_in_a_list_are_found_with_their_place() -> None:
    found = checked(cases=[{"port": "p", "when": "steps.a.x == 1"}, {"port": "q", "when": "input.n <"}])
    assert [path for path, _ in found.template.expressions] == ["cases[0].when"]
    assert found.template.expressions[0][1].steps == {"a"}
    assert [place for place, _ in found.errors] == ["cases[1].when"]


def test_a_literal_is_kept_as_it_is() -> None:
    found = checked(secret="{{ input.n }} and {{ broken")
    assert found.errors == []
    assert found.template.render(SCOPE)["secret"] == "{{ input.n }} and {{ broken"


def test_values_put_into_markup_are_escaped_and_the_markup_is_not() -> None:
    assert checked(markup="<p>{{ input.who }}</p>").template.render(SCOPE)["markup"] == "<p>&lt;b&gt;Ann&lt;/b&gt;</p>"


def test_a_value_that_is_not_there_fails_when_it_is_filled_in() -> None:
    with pytest.raises(ExpressionError, match="nobody"):
        checked(title="{{ input.nobody }}").template.render(SCOPE)


def test_an_unknown_setting_is_a_warning_and_is_not_rendered() -> None:
    found = checked(cuont="{{ broken")
    assert found.errors == []
    assert found.warnings == [("cuont", "Form has no setting 'cuont'; did you mean 'count'?; it is kept but not used.")]
    assert found.template.render(SCOPE) == {"count": 1}


def test_only_the_first_twenty_unknown_settings_are_named() -> None:
    assert len(checked(**{f"extra{at}": at for at in range(500)}).warnings) == 20


@pytest.mark.parametrize("raw", [None, [], "text", 5])
def test_a_configuration_is_an_object(raw: Any) -> None:
    found = check_config(FORM, raw)
    assert found.errors == [("", "The configuration must be an object.")]
    assert found.template.render(SCOPE) == {}


def test_the_nodes_own_check_is_asked_only_about_what_validates() -> None:
    assert checked(count=10).errors == [("count", "More than nine is too many.")]
    assert checked(count=10, title="{{ 1 }}").errors == [("count", "More than nine is too many.")]
    assert checked(count="{{ 10 }}").errors == []
