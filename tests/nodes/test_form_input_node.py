from typing import Any

import pytest

from engine.node import Done, Failed
from engine.testing import FakeStep, problems_of, run_node


def fill(fields: list[dict[str, Any]], **inputs: Any) -> Any:
    return run_node("form-input", {"fields": fields}, FakeStep(inputs=inputs))


def one(field: dict[str, Any], value: Any) -> Any:
    outcome = fill([{"name": "f", **field}], f=value)
    return outcome.output["f"] if isinstance(outcome, Done) else outcome.details["fields"]["f"]


def test_without_fields_every_input_is_accepted() -> None:
    assert fill([], a=1, b="x") == Done({"a": 1, "b": "x"})


def test_only_declared_fields_are_handed_on() -> None:
    assert fill([{"name": "a"}], a="1", b="2") == Done({"a": "1"})


@pytest.mark.parametrize(
    ("kind", "given", "value"),
    [
        ("string", "Jane", "Jane"),
        ("string", 12, "12"),
        ("text", "a\nb", "a\nb"),
        ("number", 12.5, 12.5),
        ("number", "25000", 25000),
        ("number", " -1.5e3 ", -1500.0),
        ("boolean", True, True),
        ("boolean", "yes", True),
        ("boolean", "off", False),
        ("boolean", 0, False),
        ("date", "2026-11-20", "2026-11-20"),
        ("date", "11/20/2026", "2026-11-20"),
        ("email", " jane@example.com ", "jane@example.com"),
        ("phone", "+1 (512) 555-0143", "+1 (512) 555-0143"),
        ("phone", 5125550143, "5125550143"),
    ],
)
def test_values_come_out_in_their_type(kind: str, given: Any, value: Any) -> None:
    result = one({"type": kind}, given)
    assert result == value
    assert type(result) is type(value)


@pytest.mark.parametrize(
    ("kind", "given", "told"),
    [
        ("string", ["a"], 'f must be text, not ["a"].'),
        ("number", "many", "f must be a number such as 25000 or 12.5, not 'many'."),
        ("number", True, "f must be a number such as 25000 or 12.5, not 'true'."),
        ("number", "nan", "f must be a number such as 25000 or 12.5, not 'nan'."),
        ("boolean", "perhaps", "f must be true or false."),
        ("date", "2026-02-30", "f must be a date such as 2026-11-20."),
        ("email", "jane@", "f must be an e-mail address such as jane@example.com."),
        ("email", "jane@example.com\nBcc: x@y.example", "f must be an e-mail address such as jane@example.com."),
        ("phone", "call me", "f must be a phone number such as +1 512 555 0143."),
        ("file", "x", "f must be the id of a stored file; upload it first."),
    ],
)
def test_what_does_not_fit_is_told(kind: str, given: Any, told: str) -> None:
    field = {"type": kind}
    assert one(field, given) == told


def test_every_wrong_field_is_named_at_once() -> None:
    fields: list[dict[str, Any]] = [
        {"name": "email", "label": "E-mail", "type": "email", "required": True},
        {"name": "age", "type": "number"},
    ]
    assert fill(fields, age="old") == Failed(
        "rejected",
        "E-mail is required. age must be a number such as 25000 or 12.5, not 'old'.",
        {
            "fields": {
                "email": "E-mail is required.",
                "age": "age must be a number such as 25000 or 12.5, not 'old'.",
            }
        },
    )


@pytest.mark.parametrize("blank", [None, "", "  ", []])
def test_blank_is_not_given(blank: Any) -> None:
    assert one({"required": True}, blank) == "f is required."
    assert one({"required": True, "default": "d"}, blank) == "d"
    assert one({}, blank) is None
    assert one({"type": "multiselect", "options": ["a"]}, blank) == []


def test_false_and_zero_are_given() -> None:
    assert one({"type": "boolean", "required": True}, False) is False
    assert one({"type": "number", "required": True}, 0) == 0


def test_a_default_is_checked_too() -> None:
    assert "must be a number" in one({"type": "number", "default": "x"}, None)


OPTIONS = [{"value": "new", "label": "New"}, {"value": 2, "label": "Two"}]


@pytest.mark.parametrize(("given", "value"), [("new", "new"), (2, 2), ("2", 2)])
def test_select_gives_the_options_value(given: Any, value: Any) -> None:
    assert one({"type": "select", "options": OPTIONS}, given) == value


def test_select_names_the_choices() -> None:
    assert one({"type": "select", "options": OPTIONS}, "old") == "f must be one of: new, 2."
    assert one({"type": "multiselect", "options": ["a", "b"]}, ["a", "c"]) == "f must be one of: a, b."
    assert one({"type": "multiselect", "options": ["a", "b"]}, "b") == ["b"]
    assert one({"type": "multiselect", "options": ["a", "b"]}, ["b", "a", "b"]) == ["b", "a"]
    assert one({"type": "multiselect", "options": ["a", "b"]}, ["a"] * 1001) == "f may name 1,000 choices."


@pytest.mark.parametrize(
    ("kind", "rule", "given", "told"),
    [
        ("number", {"rule": "min", "value": 5}, 5, ""),
        ("number", {"rule": "min", "value": 5}, 4, "f must be at least 5."),
        ("number", {"rule": "max", "value": "5"}, 6, "f must be at most 5."),
        ("date", {"rule": "min", "value": "2026-01-01"}, "2025-12-31", "f must be at least 2026-01-01."),
        ("string", {"rule": "min_length", "value": 3}, "ab", "f must have at least 3 characters."),
        ("string", {"rule": "max_length", "value": 3}, "abcd", "f must have at most 3 characters."),
        ("multiselect", {"rule": "max_length", "value": 1}, ["a", "b"], "f must have at most 1 choices."),
        ("string", {"rule": "pattern", "value": "[A-Z]{2}[0-9]+"}, "TX12", ""),
        ("string", {"rule": "pattern", "value": "[A-Z]{2}[0-9]+"}, "TX12 ", "f does not have the expected form."),
        ("string", {"rule": "pattern", "value": "a|b"}, "ab", "f does not have the expected form."),
        ("string", {"rule": "email"}, "x", "f must be an e-mail address."),
        ("string", {"rule": "required"}, "", "f is required."),
        ("string", {"rule": "required", "message": "Tell us."}, "", "f Tell us."),
        ("string", {"rule": "pattern", "value": "x", "message": "is odd"}, "y", "f is odd"),
    ],
)
def test_rules(kind: str, rule: dict[str, Any], given: Any, told: str) -> None:
    result = one({"type": kind, "options": ["a", "b"], "validation": [rule]}, given)
    assert result == (told or given)


def test_a_pattern_cannot_be_made_to_take_for_ever() -> None:
    result = one({"validation": [{"rule": "pattern", "value": "(a+)+b"}]}, "a" * 5000)
    assert result == "f does not have the expected form."


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ([{"name": "a"}, {"name": "a"}], "fields"),
        ([{"name": "a", "type": "select"}], "fields[0].options"),
        ([{"name": "a", "validation": [{"rule": "min"}]}], "fields[0].validation"),
        ([{"name": "a", "validation": [{"rule": "pattern", "value": "(unclosed"}]}], "fields[0].validation"),
    ],
)
def test_mistakes_in_the_form_are_found_when_it_is_saved(fields: list[dict[str, Any]], place: str) -> None:
    assert [where for where, _ in problems_of("form-input", {"fields": fields})] == [place]
    outcome = run_node("form-input", {"fields": fields}, FakeStep())
    assert isinstance(outcome, Failed)
    assert outcome.code == "config"
