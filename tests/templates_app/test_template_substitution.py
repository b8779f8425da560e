"""Values put into definitions, and what a hostile value can do: nothing."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from template_running import graph, run_to_end

from engine.expressions import Scope, compile_expression
from templates_app.substitution import substituted

VALUES = {
    "customer_name": "John Doe", "budget_range": 35000, "ratio": -0.5, "vip": True, "tags": ["new", "used"],
    "nothing": None, "quote": 'say "hi" \\ it\'s', "name": "Bob",
}  # fmt: skip
HOSTILE = [
    "{{ steps.x }}",
    "{{",
    "{",
    "}} {{ inputs.secret }} {{",
    '"}}{{ inputs.secret }}',
    "{{{{",
    "a{{\n}}",
    "\\{{ 1 }}",
]


def _config(type_: str, config: dict[str, Any], values: dict[str, Any] | None = None) -> dict[str, Any]:
    filled = substituted(graph({"id": "n", "type": type_, "config": config}), VALUES if values is None else values)
    result: dict[str, Any] = filled["nodes"][0]["config"]
    return result


def _set(text: str, values: dict[str, Any] | None = None) -> Any:
    return _config("data-transformation", {"set": {"it": text}}, values)["set"]["it"]


def _condition(text: str) -> Any:
    return _config("decision-logic", {"condition": text})["condition"]


def _rendered(text: str, values: dict[str, Any], **inputs: Any) -> Any:
    """What a step makes of a text after instantiation."""
    node = {"id": "n", "type": "data-transformation", "config": {"set": {"it": text}}}
    finished = run_to_end(substituted(graph(node), values), inputs)
    assert finished.failure is None
    return finished.result["it"]


def test_a_title_is_filled_in_as_001_shows() -> None:
    filled = substituted(graph({"id": "start", "type": "start", "title": "Start: {{customer_name}}"}), VALUES)
    assert filled["nodes"][0]["title"] == "Start: John Doe"


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("Dear {{customer_name}}, up to {{ budget_range }}", "Dear John Doe, up to 35000"),
        ("{{budget_range}}", 35000),
        ("{{ vip }}", True),
        ("{{ tags }}", ["new", "used"]),
        ("{{ nothing }}", None),
        ("[{{ nothing }}] {{ tags }} {{ vip }}", "[] new, used true"),
        (
            "{{ customer_email }} and {{ steps.a.customer_name }}",
            "{{ customer_email }} and {{ steps.a.customer_name }}",
        ),
        ("{{ inputs.budget > budget_range }}", "{{ inputs.budget > 35000 }}"),
        ("{{ broken ", "{{ broken "),
        ("no blanks } here {", "no blanks } here {"),
    ],
)
def test_a_rendered_text_is_filled_in(text: str, result: Any) -> None:
    assert _set(text) == result
    assert type(_set(text)) is type(result)


@pytest.mark.parametrize(
    ("source", "result"),
    [
        ("inputs.budget > budget_range", "inputs.budget > 35000"),
        ("{{ input.a < ratio }}", "input.a < (-0.5)"),
        ("1-ratio", "1-(-0.5)"),
        ("input.name == customer_name && vip", 'input.name == "John Doe" && true'),
        ("input.budget_range > 1", "input.budget_range > 1"),
        ("input . budget_range > 1", "input . budget_range > 1"),
        ('input.a == "budget_range"', 'input.a == "budget_range"'),
        ("input.a in tags", 'input.a in ["new", "used"]'),
        ("name(input.a)", "name(input.a)"),
        (
            "input.items.map(name, name.x).size() > 0 && name == 'x'",
            "input.items.map(name, name.x).size() > 0 && \"Bob\" == 'x'",
        ),
        ("input.items.exists(x, x.y == name)", 'input.items.exists(x, x.y == "Bob")'),
        ("{'name': name}[input.k] == ''", "{'name': \"Bob\"}[input.k] == ''"),
        ("has(name) && !has(nothing)", "true && !false"),
        ("has(input.name)", "has(input.name)"),
        ("default(nothing, 1) == 1", "default(null, 1) == 1"),
        ("input.a == quote", 'input.a == "say \\"hi\\" \\\\ it\'s"'),
        ("input.a = = 'x", "input.a = = 'x"),
    ],
)
def test_a_condition_gets_literals_of_the_values(source: str, result: str) -> None:
    assert _condition(source) == result


def test_an_edges_condition_and_a_cases_condition_are_expressions_and_ports_are_names() -> None:
    definition = graph(
        {
            "id": "budget_range",
            "type": "decision-logic",
            "config": {"cases": [{"port": "vip", "when": "input.vip == vip"}]},
        },
        {"id": "b", "type": "start"},
        edges=[
            {
                "id": "e",
                "source_node_id": "budget_range",
                "source_port": "vip",
                "target_node_id": "b",
                "condition": "vip",
            }
        ],
    )
    filled = substituted(definition, VALUES)
    assert filled["nodes"][0]["config"] == {"cases": [{"port": "vip", "when": "input.vip == true"}]}
    assert filled["edges"] == [
        {"id": "e", "source_node_id": "budget_range", "source_port": "vip", "target_node_id": "b", "condition": "true"}
    ]


def test_what_is_never_rendered_gets_the_value_as_it_is() -> None:
    hostile = {"x": "{{ steps.a }}"}
    definition = graph(
        {"id": "w", "type": "webhook-trigger", "title": "{{x}}", "config": {"secret": "{{x}}"}},
        variables=[{"name": "v", "default_value": "{{ x }}"}],
        settings={"note": "a {{ x }}"},
    )
    filled = substituted(definition, hostile)
    assert filled["nodes"][0]["title"] == "{{ steps.a }}"
    assert filled["nodes"][0]["config"]["secret"] == "{{ steps.a }}"
    assert filled["variables"][0]["default_value"] == "{{ steps.a }}"
    assert filled["settings"] == {"note": "a {{ steps.a }}"}


def test_substitution_leaves_the_template_itself_alone() -> None:
    definition = graph({"id": "start", "type": "start", "title": "{{name}}"})
    substituted(definition, VALUES)
    assert definition["nodes"][0]["title"] == "{{name}}"


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize("text", ["{{a}}", "Dear {{a}}!", "{{a}}{{b}}{{a}}", "{ {{a}} } {{ inputs.n }}"])
def test_a_hostile_value_stays_the_text_it_is(value: str, text: str) -> None:
    values = {"a": value, "b": "{"}
    plain = text.replace("{{ inputs.n }}", "7").replace("{{b}}", "\0").replace("{{a}}", value).replace("\0", "{")
    assert _rendered(text, values, n=7, secret="s3cret") == plain


@pytest.mark.parametrize("value", HOSTILE)
def test_a_hostile_value_stays_a_text_in_a_condition_too(value: str) -> None:
    filled = _config("decision-logic", {"condition": "a == input.a"}, {"a": value})["condition"]
    assert compile_expression(filled).evaluate(Scope(input={"a": value})) is True


@given(
    st.text(max_size=60).filter(lambda text: "\x00" not in text and text.isprintable()),
    st.text("{}a\"'\\ ", max_size=20),
)
@settings(max_examples=60, deadline=None)
def test_any_value_renders_to_itself(first: str, second: str) -> None:
    assert _rendered("{{a}}|{{b}}{{a}}", {"a": first, "b": second}) == f"{first}|{second}{first}"


def test_a_value_in_html_is_escaped_when_the_step_runs() -> None:
    mail = {
        "to": "a@example.com",
        "subject": "{{a}}",
        "text": "{{a}}",
        "html": "<p title='{{a}}'>{{ a }} {{ inputs.x }}</p>",
    }
    value = "<b> & 'Co' \" {{ inputs.x }}"
    finished = run_to_end(
        substituted(graph({"id": "m", "type": "email-sender", "config": mail}), {"a": value}), {"x": "<i>"}
    )
    assert finished.failure is None
    sent = finished.to("a@example.com")
    assert (sent.subject, sent.text) == (value, value)
    safe = "&lt;b&gt; &amp; &#x27;Co&#x27; &quot; {{ inputs.x }}"
    assert sent.html == f"<p title='{safe}'>{safe} &lt;i&gt;</p>"


def test_a_long_value_in_html_is_split_over_several_expressions() -> None:
    value = "<é>" * 3000
    mail = {"to": "a@example.com", "subject": "s", "html": "{{a}}"}
    finished = run_to_end(substituted(graph({"id": "m", "type": "email-sender", "config": mail}), {"a": value}), {})
    assert finished.to("a@example.com").html == "&lt;é&gt;" * 3000


def test_a_node_type_that_is_not_known_here_is_filled_in_as_rendered_text() -> None:
    assert _config("approval", {"message": "Hi {{customer_name}}"}) == {"message": "Hi John Doe"}


def test_choices_are_data_too() -> None:
    values = {"several": ["{{ inputs.x }}", {"deep": "{{ 1 }}"}]}
    assert _rendered("{{ several }}", values, x=7) == ["{{ inputs.x }}", {"deep": "{{ 1 }}"}]
    assert _rendered("{{ several[0] }}", values, x=7) == "{{ inputs.x }}"
