"""What parameters accept."""

from __future__ import annotations

from typing import Any

import pytest

from auterity.kernel.errors import InvalidInput
from templates_app.blanks import fill
from templates_app.models import TemplateParameter

CHOICES = [{"value": "new", "label": "New"}, {"value": "used", "label": "Used"}]


def _parameter(type_: str, **fields: Any) -> TemplateParameter:
    options = CHOICES if "select" in type_ else []
    return TemplateParameter(**{"name": "it", "type": type_, "label": "It", "options": options, **fields})


def _refused(parameters: list[TemplateParameter], given: dict[str, Any]) -> list[tuple[str, str, str]]:
    with pytest.raises(InvalidInput) as refusal:
        fill(parameters, given)
    return [(each.field, each.code, each.message) for each in refusal.value.problems]


@pytest.mark.parametrize(
    ("type_", "given", "value"),
    [
        ("string", "John", "John"),
        ("number", 35000, 35000),
        ("number", 12.5, 12.5),
        ("boolean", False, False),
        ("email", " jane@example.com ", "jane@example.com"),
        ("select", "used", "used"),
        ("multiselect", ["new", "used"], ["new", "used"]),
        ("string", None, None),
        ("multiselect", None, []),
    ],
)
def test_a_value_of_the_right_type_is_taken(type_: str, given: Any, value: Any) -> None:
    assert fill([_parameter(type_)], {"it": given}) == {"it": value}


@pytest.mark.parametrize(
    ("type_", "given", "told"),
    [
        ("string", ["a"], 'It must be text, not ["a"].'),
        ("string", 7, "It must be text, not 7."),
        ("string", True, "It must be text, not true."),
        ("number", "12.5", 'It must be a number such as 25000 or 12.5, not "12.5".'),
        ("number", True, "It must be a number such as 25000 or 12.5, not true."),
        ("boolean", "true", 'It must be true or false, not "true".'),
        ("boolean", 1, "It must be true or false, not 1."),
        ("email", 7, "It must be text, an e-mail address, not 7."),
        ("multiselect", "new", 'It must be a list of choices, not "new".'),
        ("email", "nobody", "It must be an e-mail address such as jane@example.com."),
        ("select", "old", "It must be one of: new, used."),
        ("multiselect", ["new", "old"], "It must be one of: new, used."),
        ("string", "a\x00", "It may have 10,000 bytes of plain text, without control characters."),
        ("string", "\ud800", "It may have 10,000 bytes of plain text, without control characters."),
        ("string", "a" * 10_001, "It may have 10,000 bytes of plain text, without control characters."),
        ("number", 2**70, "It may have 10,000 bytes of plain text, without control characters."),
    ],
)
def test_a_value_that_does_not_fit_is_refused_with_what_would(type_: str, given: Any, told: str) -> None:
    assert _refused([_parameter(type_)], {"it": given}) == [("parameters.it", "invalid", told)]


@pytest.mark.parametrize("given", [1, 1.5, "2", "true", [True]])
def test_a_choice_is_named_in_its_own_type(given: Any) -> None:
    parameter = TemplateParameter(name="it", type="select", label="It", options=[{"value": 2}, {"value": True}])
    assert fill([parameter], {"it": 2}) == {"it": 2}
    assert fill([parameter], {"it": True})["it"] is True
    assert _refused([parameter], {"it": given}) == [("parameters.it", "invalid", "It must be one of: 2, true.")]


@pytest.mark.parametrize(
    ("rule", "good", "bad"),
    [
        ({"rule": "min", "value": 3}, 3, 2),
        ({"rule": "max", "value": 3}, 3, 4),
        ({"rule": "min_length", "value": 3}, "abc", "ab"),
        ({"rule": "max_length", "value": 3}, "abc", "abcd"),
        ({"rule": "pattern", "value": "[A-Z]{2}"}, "TX", "TXX"),
        ({"rule": "pattern", "value": "(a+)+b"}, "aab", "a" * 5000),
        ({"rule": "email"}, "a@example.com", "a"),
    ],
)
def test_a_validation_rule_is_kept(rule: dict[str, Any], good: Any, bad: Any) -> None:
    type_ = "number" if rule["rule"] in ("min", "max") else "string"
    parameter = _parameter(type_, validation=[{**rule, "message": "is not right."}])
    assert fill([parameter], {"it": good}) == {"it": good}
    assert _refused([parameter], {"it": bad}) == [("parameters.it", "invalid", "It is not right.")]


def test_a_default_is_applied_and_a_given_value_goes_before_it() -> None:
    parameter = _parameter("number", default_value=30, required=True)
    assert fill([parameter], {}) == {"it": 30}
    assert fill([parameter], {"it": 0}) == {"it": 0}


@pytest.mark.parametrize("given", [{}, {"it": None}, {"it": "  "}])
@pytest.mark.parametrize("how", [{"required": True}, {"validation": [{"rule": "required"}]}])
def test_a_required_value_that_is_missing_is_named(given: dict[str, Any], how: dict[str, Any]) -> None:
    assert _refused([_parameter("string", **how)], given) == [("parameters.it", "required", "It is required.")]


def test_every_problem_is_told_at_once_and_an_unknown_name_gets_the_nearest_one() -> None:
    parameters = [_parameter("email", name="customer_email", label=""), _parameter("string", required=True)]
    assert _refused(parameters, {"costumer_email": "a@example.com", "zzz": 1, "customer_email": "x"}) == [
        (
            "parameters.costumer_email",
            "invalid",
            "The template has no parameter 'costumer_email'; did you mean customer_email?",
        ),
        ("parameters.zzz", "invalid", "The template has no parameter 'zzz'; it has customer_email, it."),
        ("parameters.customer_email", "invalid", "customer_email must be an e-mail address such as jane@example.com."),
        ("parameters.it", "required", "It is required."),
    ]
