"""What is said of expressions that are wrong, or have no value: where, why, and what to write instead."""

from __future__ import annotations

import pytest

from engine.expressions import ExpressionError, ExpressionProblem, Scope, compile_expression
from tests.engine.valid_expressions import SCOPE

PROBLEMS: list[tuple[str, int | None, str]] = [
    ("", 0, "The expression is empty."),
    ("   ", 0, "The expression is empty."),
    ("1 +", 3, "The expression ends too early."),
    ("1 + * 2", 4, "This * is not expected here."),
    ("(1", 0, "This ( needs a closing )."),
    ("[1, 2", 0, "This [ needs a closing ]."),
    ("1)", 1, "This ) closes nothing."),
    ("a b", 2, "An operator such as + or && is missing before b."),
    ("a and b", 2, "Write && instead of 'and'."),
    ("a or b", 2, "Write || instead of 'or'."),
    ("a = 1", 2, "To compare, write == with two characters."),
    ("a === 1", 2, "Compare with == or !=, with two characters."),
    ("a | upper", 2, "For 'or', write || with two characters; there are no filters after a bar."),
    ("a & b", 2, "For 'and', write && with two characters."),
    ("'abc", 0, "The text that starts here has no closing quote."),
    ("1 // 2", 2, "An expression has no comments; leave this part out."),
    ("$a", 0, "Names are written without $."),
    ("a.", 2, "The expression ends too early."),
    (".a", 0, "A name is missing before this dot."),
    ("lowr('A')", 0, "There is no function lowr(); did you mean lower or floor?"),
    ("'a'.uper()", 4, "There is no method uper(); did you mean upper?"),
    ("input.length()", 6, "length is written around the value: length(x), not x.length()."),
    ("startsWith('a', 'b')", 0, "startsWith() belongs behind a value, such as input.x.startsWith(…)."),
    ("round(1, 2, 3)", 0, "round() takes 1 to 2 values, not 3: round(x, digits): rounded, halves away from zero."),
    ("has(1)", 0, "has() asks for one field, such as has(input.email)."),
    ("x.map(i)", 2, "map() takes a name and an expression, such as input.items.map(item, item.price > 10)."),
    ("x.all(i, 1, 2)", 2, "all() takes a name and 1 expression."),
    ("steps", 0, 'steps needs the id of a step: steps.charge or steps["charge-card"].'),
    ("steps[input.id]", 0, 'steps needs the id of a step: steps.charge or steps["charge-card"].'),
    ("9223372036854775808", 0, "This whole number is larger than 64 bits; write it as text."),
    (
        "'a' + 1",
        4,
        "+ does not work with text and a whole number; text(x) makes text of any value, number(x) reads a number.",
    ),
    ("  'a' * 2", 6, "* does not work with text and a whole number; number(x) reads a number from text."),
    (r"'a\q'", 2, r"The escape \q does not exist; a backslash itself is written \\."),
    (r"'\ud800'", 1, r"The escape \ud800 does not exist; a backslash itself is written \\."),
    ("b'ab'", 0, "Bytes cannot be written here; leave out the b."),
    ("Thing{a: 1}", 0, "A map is written without a name before it: {'key': value}."),
    ("{{ 1 }} {{ 2 }}", 0, "A condition is one expression; text and {{ }} cannot be mixed here."),
    ("{{ 1 + }}", 7, "The expression ends too early."),
]


@pytest.mark.parametrize(("source", "position", "message"), PROBLEMS, ids=[source for source, _, _ in PROBLEMS])
def test_a_problem_says_where_and_what_to_do(source: str, position: int | None, message: str) -> None:
    with pytest.raises(ExpressionProblem) as caught:
        compile_expression(source)

    assert caught.value.position == position
    assert caught.value.message == message
    assert caught.value.source == source


ERRORS: list[tuple[str, str]] = [
    ("input.adress", "input has no 'adress'; it has address, amount, date"),
    ("custmer_email", "There is no input called 'custmer_email'; there is customer_email, größe, limit"),
    ("steps.chrge.id", "There is no finished step 'chrge'; the steps are charge, charge-card. Did you mean 'charge'?"),
    ("steps.charge.zz", "steps.charge has no 'zz'; it has id, paid."),
    ("input.name.first", "input.name is text, so it has no 'first'."),
    ("input.nothing.x", "input.nothing is null, so it has no 'x'."),
    ("input.tags.length", "input.tags is a list, so it has no 'length'; use length(x)."),
    ("input.tags.x", "input.tags is a list, so it has no 'x'; read an item first, such as input.tags[0]."),
    ("input.tags[2]", "input.tags has no item 2: it has 2, and counting starts at 0."),
    ("input.tags[limit]", "There is no item 3: the list has 2, and counting starts at 0."),
    ("input.address[input.name]", 'There is no "Ada Lovelace" in that map'),
    ("None", "None is written null here."),
    ("input.nothing + 1", "+ does not work with null and a whole number; default(x, 0) replaces null."),
    ("input.name + 1", "+ does not work with text and a whole number; text(x) makes text of any value"),
    ("input.name > 1", "> does not work with text and a whole number; number(x) reads a number from text."),
    ("'a' in input.name", "in does not work with these values; it looks into a list or a map"),
    ("input.amount ? 1 : 2", "What stands before ? must be true or false."),
    ("input.amount && true", "Only true and false can be joined with && and || or negated with !."),
    ("1 / 0", "Nothing can be divided by zero."),
    ("1.5 / 0", "Nothing can be divided by zero."),
    ("input.rate / 0.0", "The result is a number that is infinite"),
    ("9223372036854775807 + 1", "The whole number becomes larger than 64 bits."),
    ("number('abc')", "number(): 'abc' is not a number; write it like 1234.5."),
    ("lower(1)", "lower(): text is needed, not a whole number; use text(x)."),
    ("input.amount.lower()", "lower() does not take a whole number."),
    ("sum(['a'])", "sum(): a number is needed, not text; use number(x) or default(x, 0)."),
    ("max([])", "max(): the list is empty."),
    ("format_date('soon', 'YYYY')", "format_date(): 'soon' is no date; write it like 2026-01-31"),
    ("add_seconds(now, 1e18)", "add_seconds(): the date leaves the years 1 to 9999."),
    ("timestamp('soon')", "timestamp() reads text such as 2026-01-31T08:00:00Z."),
    ("'a'.matches('(')", "The pattern is not a regular expression: missing ): (."),
    ("bytes('ab')", "The result is bytes, which JSON has not; use string(x) or base64 text."),
    ("type(1)", "The result is a type; compare it, as in type(x) == int."),
    ("18446744073709551615u", "The result is a whole number larger than 64 bits; write it as text."),
    ("{'a': 1, 'a': 2}", "A map has the same key twice."),
    ("input.amount.map(i, i)", "The loop: only a list or a map can be looped over, not a whole number."),
    ("input.items.map(i, i.zz)", 'There is no "zz" in that map; get(map, "zz", "") allows it to be absent.'),
]


@pytest.mark.parametrize(("source", "message"), ERRORS, ids=[source for source, _ in ERRORS])
def test_an_error_teaches(source: str, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        compile_expression(source).evaluate(SCOPE)

    assert caught.value.message.startswith(message)
    assert caught.value.source == source


def test_a_failed_reference_lists_what_there_is() -> None:
    with pytest.raises(ExpressionError) as of_input:
        compile_expression("custmer").evaluate(Scope(inputs={"customer": 1}))
    with pytest.raises(ExpressionError) as of_key:
        compile_expression("input.a.zz").evaluate(Scope(input={"a": {"c": 1, "b": 2}}))
    with pytest.raises(ExpressionError) as of_step:
        compile_expression("steps.b.x").evaluate(Scope(steps={"a": 1}))

    assert of_input.value.available[0] == "customer"
    assert of_input.value.message.endswith("Did you mean 'customer'?")
    assert of_key.value.available == ["b", "c"]
    assert of_step.value.available == ["a"]


@pytest.mark.parametrize("name", ["item", "index"])
def test_item_and_index_exist_inside_map_only(name: str) -> None:
    with pytest.raises(ExpressionError, match=f"{name} exists only inside map"):
        compile_expression(name).evaluate(Scope())
