"""What valid expressions mean: exact values, names, and the errors that teach."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from engine.expressions import FUNCTIONS, ExpressionError, ExpressionProblem, Scope, compile_expression

ITEMS = [{"name": "pen", "price": 2, "count": 3}, {"name": "ink", "price": 7.5, "count": 2}]
SCOPE = Scope(
    input={
        "amount": 250,
        "rate": 1.5,
        "name": "Ada Lovelace",
        "email": " Ada@Example.ORG ",
        "tags": ["vip", "new"],
        "items": ITEMS,
        "address": {"city": "London", "zip": None, "lines": ["12 St", "Floor 2"]},
        "first-name": "Ada",
        "map": 5,
        "size": 7,
        "in": "reserved",
        "ok": True,
        "nothing": None,
        "empty": [],
        "date": "2026-01-31T08:30:05.250Z",
        "größe": 180,
    },
    inputs={"customer_email": "a@b.c", "limit": 3, "größe": 2, "type": "car", "order": {"total": 12}},
    context={"locale": "de"},
    steps={"charge": {"id": "ch_1", "paid": True}, "charge-card": {"status": 201}},
    execution={"id": "e1"},
    workflow={"id": "w1", "name": "Onboarding"},
    organization={"id": "o1"},
    now="2026-02-01T00:00:00Z",
    item={"price": 4},
    index=2,
)

VALUES: list[tuple[str, Any]] = [
    # numbers
    ("1 + 2", 3),
    ("7 / 2", 3),
    ("7 % 4", 3),
    ("-7 / 2", -3),
    ("7.0 / 2", 3.5),
    ("7 / 2.0", 3.5),
    ("1 + 2.5", 3.5),
    ("2.5 - 1", 1.5),
    ("2 * 1.5", 3.0),
    ("7.5 % 2", 1.5),
    ("-7.5 % 2", -1.5),
    ("input.amount * input.rate", 375.0),
    ("input.rate * input.amount", 375.0),
    ("input.amount - 0.5", 249.5),
    ("(1 + 2) * 3", 9),
    ("1e3", 1000.0),
    (".5 + .25", 0.75),
    ("0x1F", 31),
    ("9223372036854775807", 9223372036854775807),
    ("-9223372036854775808", -9223372036854775808),
    ("int(3.9)", 3),
    ("int('42')", 42),
    ("double('1.5')", 1.5),
    ("--1", 1),
    # comparing
    ("input.amount > 100", True),
    ("input.amount >= 250.0", True),
    ("input.amount == 250.0", True),
    ("1 == 1.0", True),
    ("1 < 2.5", True),
    ("1 == '1'", False),
    ("input.nothing == null", True),
    ("null == null", True),
    ("'a' < 'b'", True),
    ("[1, 2] == [1.0, 2.0]", True),
    ("{'a': 1} == {'a': 1}", True),
    ("input.ok && !false", True),
    ("false || input.ok", True),
    ("input.ok ? 'yes' : 'no'", "yes"),
    ("input.amount > 1000 ? 'big' : null", None),
    ("true ? 1 : 'a'", 1),
    ("false ? 1 : input.amount > 1 ? 2 : 'c'", 2),
    # text
    ("'a' + 'b'", "ab"),
    ('"it\'s"', "it's"),
    (r"'a\nb'", "a\nb"),
    (r"r'a\nb'", r"a\nb"),
    (r"r'\'", "\\"),
    (r"'\x41\101\u0042\U0001F600\?\`'", "AAB😀?`"),
    (r"'\x01\u00e9' + '\"'", '\x01é"'),
    ("'\U000e0001'", "\U000e0001"),
    ("'a\x7fb'", "a\x7fb"),
    (r"'\\' + '\''", "\\'"),
    (r"'''a\'''b'''", "a'''b"),
    (r"{'a\'b': 1}['a\'b']", 1),
    ("'''a'b'''", "a'b"),
    ("'}} {{'", "}} {{"),
    ("'ä' + 'ö'", "äö"),
    ("input.name.startsWith('Ada')", True),
    ("input.name.endsWith('x')", False),
    ("input.name.contains('Love')", True),
    ("input.name.matches('^A.*e$')", True),
    ("matches(input.name, 'x')", False),
    ("input.name.size()", 12),
    ("size(input.name)", 12),
    ("input.name.lowerAscii()", "ada lovelace"),
    ("input.name.upper()", "ADA LOVELACE"),
    ("input.email.trim().lower()", "ada@example.org"),
    ("'a-b-c'.split('-')", ["a", "b", "c"]),
    ("'a-b-c'.split('-', 2)", ["a", "b-c"]),
    ("'a-b-c'.split('-', 0)", []),
    ("['a', 'b'].join('-')", "a-b"),
    ("'banana'.replace('a', 'o')", "bonono"),
    ("'banana'.replace('a', 'o', 1)", "bonana"),
    ("'hello'.substring(1, 3)", "el"),
    ("'hello'.charAt(1)", "e"),
    ("'hello'.indexOf('l')", 2),
    ("'hello'.lastIndexOf('l')", 3),
    ("'abc'.reverse()", "cba"),
    ("'%s owes %.2f (%d%%)'.format(['Ada', 2.5, 3])", "Ada owes 2.50 (3%)"),
    ("string(12) + 'x'", "12x"),
    # names
    ("input['first-name']", "Ada"),
    ("input.in", "reserved"),
    ("input.map", 5),
    ("input.size", 7),
    ("input.größe", 180),
    ("größe", 2),
    ("type", "car"),
    ("type(input.name) == string", True),
    ("customer_email", "a@b.c"),
    ("order.total", 12),
    ("inputs.order.total", 12),
    ("context.locale", "de"),
    ("steps.charge.id", "ch_1"),
    ("steps['charge-card'].status", 201),
    ('steps["charge"].paid', True),
    ("execution.id + workflow.id + organization.id", "e1w1o1"),
    ("now", "2026-02-01T00:00:00Z"),
    ("item.price * index", 8),
    ("input.address.lines[1]", "Floor 2"),
    ("input.items[0].name", "pen"),
    ("input.items[index - 1].name", "ink"),
    ("input.address['ci' + 'ty']", "London"),
    ("{'a': {'b': 1}}.a.b", 1),
    ("{'a': {'b': 1}}", {"a": {"b": 1}}),
    ("{'z': 1, 'a': 2}", {"a": 2, "z": 1}),
    ("{1: 'a', 2: 'b'}", {"1": "a", "2": "b"}),
    ("[1, 'a', null, [2.5]]", [1, "a", None, [2.5]]),
    ("[]", []),
    ("{}", {}),
    ("[1] + ['a']", [1, "a"]),
    ("input", SCOPE.input),
    # in, has, default, get
    ("'vip' in input.tags", True),
    ("1 in ['a']", False),
    ("'city' in input.address", True),
    ("!('x' in input.address)", True),
    ("has(input.name)", True),
    ("has(input.nope)", False),
    ("has(input.nope.deeper.still)", False),
    ("has(input.name.x)", False),
    ("has(input.address.zip)", True),
    ("has(input.address.lines[1])", True),
    ("has(input.address.lines[2])", False),
    ("has(nope)", False),
    ("has(customer_email)", True),
    ("has(steps.refund)", False),
    ("has(steps.refund.id) || steps.charge.paid", True),
    ("has(first(input.items).name)", True),
    ("default(input.nope, 'x')", "x"),
    ("default(input.nothing, 0) + 1", 1),
    ("default(nope.a.b, default(input.nope, 2))", 2),
    ("default(input.amount, 1)", 250),
    ("coalesce(input.nope, input.nothing, 'c')", "c"),
    ("coalesce([input.nope, null, 3])", 3),
    ("coalesce(null)", None),
    ("get(input, 'address.lines[0]', '-')", "12 St"),
    ("get(input, 'address.lines[9]', '-')", "-"),
    ("get(input.nope, 'a', 'x')", "x"),
    ("get(input, 'nope')", None),
    ("false && input.nope", False),
    ("input.ok || nope", True),
    ("input.ok ? 1 : steps.nope.x", 1),
    # functions of ours
    ("number('12.50') + 1", 13.5),
    ("number(' -3e2 ')", -300.0),
    ("number(7)", 7.0),
    ("text(3.0)", "3"),
    ("text(null) + text(true) + text(2.5)", "true2.5"),
    ("text([1, {'b': 1, 'a': 'ü'}])", '[1,{"a":"ü","b":1}]'),
    ("json({'b': [1, null], 'a': 'x'})", '{"a":"x","b":[1,null]}'),
    ("lower('ÄB') + upper('äb') + trim(' x ') + title('ada l')", "äbÄBxAda L"),
    ("join([1, 'a', 2.0, null], '|')", "1|a|2|"),
    ("join(input.tags)", "vipnew"),
    ("split('a,b', ',')", ["a", "b"]),
    ("split('abc', '')", ["a", "b", "c"]),
    ("replace('a.b.c', '.', '')", "abc"),
    ("round(2.345, 2)", 2.35),
    ("round(2.5)", 3),
    ("round(-2.5)", -3),
    ("round(7, 2)", 7),
    ("floor(2.7) + ceil(2.1) + abs(-3)", 8),
    ("min(3, 1.5) + max([1, 4])", 5.5),
    ("min('b', 'a')", "a"),
    ("sum([1, 2]) + sum([])", 3),
    ("sum([0.1, 0.2, 0.3])", 0.6),
    ("avg([1, 2])", 1.5),
    ("length('äbc') + length([1]) + length({'a': 1})", 5),
    ("contains('abc', 'b') && contains([1, 2], 2.0) && contains({'a': 1}, 'a')", True),
    ("contains([1], true)", False),
    ("[first([1, 2]), last([1, 2]), first([])]", [1, 2, None]),
    ("keys({'b': 1, 'a': 2}) + values({'b': 1, 'a': 2})", ["a", "b", 2, 1]),
    ("unique([1, 1.0, 'a', 'a', {'x': 1}, {'x': 1}])", [1, "a", {"x": 1}]),
    ("sort([3, 1.5, 2])", [1.5, 2, 3]),
    ("sort(['b', 'a'])", ["a", "b"]),
    ("slice('hello', 1, 3) + slice('hello', -2)", "ello"),
    ("slice([1, 2, 3], 1)", [2, 3]),
    ("math.greatest(1, 5, 3)", 5),
    # time
    ("timestamp(now)", "2026-02-01T00:00:00Z"),
    ("timestamp(now) - duration('36h')", "2026-01-30T12:00:00Z"),
    ("timestamp(now) - timestamp('2026-01-31T23:59:00Z')", 60.0),
    ("timestamp(now) > timestamp(input.date)", True),
    ("timestamp(now).getFullYear()", 2026),
    ("duration('1h30m')", 5400.0),
    ("days_between(input.date, '2026-03-02')", 29),
    ("days_between('2026-03-02', '2026-03-01')", -1),
    ("add_seconds(now, 90)", "2026-02-01T00:01:30Z"),
    ("add_seconds('2026-01-31', -0.5)", "2026-01-30T23:59:59.500000Z"),
    ("format_date(input.date, 'YYYY-MM-DD HH:mm:ss.SSS')", "2026-01-31 08:30:05.250"),
    ("format_date('2026-01-05', 'ddd D MMMM YY [at] h A')", "Mon 5 January 26 at 12 AM"),
    # loops
    ("input.items.map(i, i.price * i.count)", [6, 15.0]),
    ("sum(input.items.map(i, i.price * i.count))", 21.0),
    ("input.items.filter(i, i.price > 5).map(i, i.name)", ["ink"]),
    ("input.items.map(i, i.price > 5, i.name)", ["ink"]),
    ("input.items.all(i, i.price > 1)", True),
    ("input.items.exists(i, i.name == 'ink')", True),
    ("input.items.exists_one(i, i.price > 1)", False),
    ("input.items.map(i, has(i.discount))", [False, False]),
    ("input.items.map(i, default(i.discount, 0.5))", [0.5, 0.5]),
    ("input.items.map(i, {'n': i.name, 'of': input.amount})", [{"n": "pen", "of": 250}, {"n": "ink", "of": 250}]),
    ("input.items.map(item, item.price)", [2, 7.5]),
    ("[1, 2].map(x, [10, 20].map(y, x * y))", [[10, 20], [20, 40]]),
    ("{'a': 1}.map(k, k)", ["a"]),
    ("[].map(x, x)", []),
    ("[1, 2].map(x, input.map)", [5, 5]),
    ("input.tags.map(t, upper(t)).join(' ')", "VIP NEW"),
]


@pytest.mark.parametrize(("source", "value"), VALUES, ids=[source for source, _ in VALUES])
def test_a_valid_expression_has_its_exact_value(source: str, value: Any) -> None:
    result = compile_expression(source).evaluate(SCOPE)

    assert result == value
    assert type(result) is type(value)


def test_the_corpus_is_large() -> None:
    assert len(VALUES) >= 150


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
