"""Expressions and data that mean harm: an ExpressionProblem or ExpressionError, bounded, and without side effects."""

from __future__ import annotations

import resource
import sys
import threading
from typing import Any

import pytest

from engine.expressions import ExpressionError, ExpressionProblem, Scope, compile_expression, compile_template

MIB = 1 << 20


def doubling(start: str, step: str, times: int) -> str:
    """`[start].map(z0, [step(z0)].map(z1, …))`: memory doubles with each level."""
    inner = step.replace("?", f"z{times}")
    for level in range(times, 0, -1):
        inner = f"[{step.replace('?', f'z{level - 1}')}].map(z{level}, {inner})"
    return f"[{start}].map(z0, {inner})"


def nested_loops(depth: int) -> str:
    body = "true"
    for level in range(depth):
        body = f"input.twenty.all(z{level}, {body})"
    return body


def tree(leaf: str, depth: int) -> str:
    for _ in range(depth):
        leaf = f"({leaf}+{leaf})"
    return leaf


def nested_call(name: str, start: str, rest: str, times: int) -> str:
    return f"{name}(" * times + start + rest * times


# Refused when compiled: reaching for Python, for the engine, or for the parser's stack

REFUSED: list[str] = [
    # reaching for Python
    "__import__('os').system('id')",
    "().__class__.__bases__",
    "''.__class__()",
    "input.__class__.__mro__()",
    "getattr(input, 'x')",
    "eval('1')",
    "exec('1')",
    "open('/etc/passwd')",
    "print(1)",
    "globals()",
    "input.__getitem__('a')",
    "input.items()",
    "input.keys()",
    "'{0.__class__}'.format(input).x()",
    "lambda: 1",
    "[x for x in input]",
    "x if y else z",
    "f'{input}'",
    "import os",
    "os; id",
    "1 if 1",
    "input := 5",
    "a = b",
    "input.a++",
    "*input",
    "**input",
    "@input",
    "`id`",
    "$(id)",
    "${input.a}",
    "#{input.a}",
    "<%= 1 %>",
    "{% if 1 %}",
    "a ?? b",
    "a?.b",
    "input.?a",
    "input[?'a']",
    "new Date()",
    "function() { return 1 }",
    "x => x",
    "constructor.constructor('return process')()",
    "this.process.mainModule.require('child_process')",
    "$input.first().json",
    # reaching for the engine
    "v__0 + f__flat([[1]])",
    "f__chunks([input])",
    "f__peek([input, 'a'])",
    "input.map(c__, c__)",
    "input.map(v__0, v__0)",
    "input.map(true, 1)",
    "input.map(größe, größe)",
    "google.protobuf.Struct{}",
    "google.protobuf.Any{type_url: 'x'}",
    "cel.bind(x, 1, x + x)",
    "cel.block([1], 1)",
    "optional.of(1)",
    "proto.getExt(input, a)",
    "math.foo(1)",
    "strings.quote('a')",
    "base64.encode(b'x')",
    "@in(1, [1])",
    "_+_(1, 2)",
    "dyn(1).transformList(i, v, v)",
    "input.map(i + 1, i)",
    "input.map((i), i)",
    "input.map('i', 1)",
    "input.map()",
    "input.filter(i, true, i)",
    "input.existsOne(i, true)",
    "has()",
    "has(input)(1)",
    "has(input.a, input.b)",
    "has(has(input.a))",
    "has(1 + 2)",
    "steps",
    "steps[0]",
    "steps[input.x].y",
    "has(steps)",
    "default(steps, 1)",
    "[steps]",
    # characters
    "\x00",
    "a\x00b",
    "'abc\x00",
    "'a\x00b'",
    r"'a\x00b'",
    r"'a\u0000b'",
    r"input['a\000b']",
    "\x1b[31m",
    "a\x08b",
    "\u202einput",
    "input\u200b.a",
    "ｉnput．a",
    "1 ＋ 2",
    "“a”",
    "\ud800",
    "'\ud800'",
    "input.\udfff",
    r"'\ud800'",
    r"'\udfff\ud800'",
    r"'\U00110000'",
    r"'\xZZ'",
    r"'\400'",
    "'a\nb'",
    "'a\rb'",
    "'\\",
    "'''a",
    '"' * 5,
    "r'\\' + ' + f__flat([[1]]) + r'\\''",
    "b'ab'",
    "rb'ab'",
    "1 /* x */ + 1",
    "1 // x",
    # numbers
    "9" * 400,
    "9223372036854775808",
    "-9223372036854775809",
    "18446744073709551616u",
    "0x" + "F" * 40,
    "1" * 4000,
    "1e",
    "0b11",
    "0o7",
    "1_000",
    "1.2.3.4",
    # size and depth
    "a" * 4097,
    "ü" * 2100,
    "'" + "x" * 4096 + "'",
    "(" * 5000 + "1" + ")" * 5000,
    "(" * 2000 + "1" + ")" * 2000,
    "[" * 2000 + "]" * 2000,
    "{'a':" * 800 + "1" + "}" * 800,
    "{{" * 1000,
    "[a," * 1000,
    "((" + "[" * 500,
    "+".join("1" * 500),
    "-".join("1" * 500),
    "*".join("1" * 500),
    " == ".join("1" * 200),
    " in ".join("1" * 200),
    "true ? " * 300 + "1" + " : 1" * 300,
    "true ? 1 : " * 300 + "1",
    "x()" * 1000,
    "[1]" + "[0]" * 1000,
    "lower(" * 600 + "'a'" + ")" * 600,
    "'a'" + ".lower()" * 400,
    "[1]" + ".map(a, a)" * 100,
    nested_loops(120),
    nested_call("replace", "'a'", ",'a','aa')", 100),
    "[" + ",".join(f"a{number}" for number in range(400)) + "]",
    "}" * 100,
    ")" * 4000,
    "." * 4000,
    "?" * 4000,
    ":" * 4000,
    "," * 4000,
    "& " * 1000,
    "!" * 4000,
    "-" * 4000,
    "in " * 1000,
    "'' " * 1000,
    "\\" * 4000,
]


@pytest.mark.parametrize("source", REFUSED, ids=range(len(REFUSED)))
def test_hostile_source_is_refused_when_compiled(source: str) -> None:
    with pytest.raises(ExpressionProblem) as caught:
        compile_expression(source)

    problem = caught.value
    assert problem.source == source
    assert problem.position is None or 0 <= problem.position <= len(source)
    assert_teaches(problem.message, source)


# Compiles, but has no value

DATA: dict[str, Any] = {
    "mib": "x" * MIB,
    "aaaa": "a" * 30_000,
    "twenty": list(range(20)),
    "many": list(range(9_000)),
    "rows": [{"id": number, "name": f"n{number}"} for number in range(5_000)],
    "evil": "{{ input.secret }} ${7*7} __import__('os')",
    "pattern": "(" * 500,
    "secret": "s3cret",
    "__class__": 1,
    "huge": 10**5000,
    "big": 2**63,
    "inf": float("inf"),
    "half": "a\ud800b",
    "nul": "admin\x00@example.org",
    "nulkey": {"a\x00b": 1},
    "halfkey": {"\ud800": 1},
    "tuplekey": {(1, 2): 1},
    "object": object(),
    "bytes": b"ab",
    "function": len,
}

FAILING: list[str] = [
    # dunder names are only keys
    "input.__dict__",
    "input.secret.__class__",
    "inputs.__class__",
    "__builtins__",
    "__import__",
    "input['__globals__']",
    "get(input.secret, '__class__') + 1",
    "get(input, '__class__.__mro__') + 1",
    "get(input, '..')",
    "get(input, '[')",
    "get(input, 'a[' + input.aaaa)",
    "self",
    "os.environ",
    "workflow.secret",
    "'%(x)s'.format([1])",
    "'%99999999d'.format([1])",
    "'%.99999f'.format([1.0])",
    "'%s'.format([])",
    "'%n'.format([1])",
    # values that are not JSON
    "input.huge",
    "input.huge + 1",
    "input.big",
    "input.inf > 1",
    "input.half",
    "[input.half]",
    "input.nul",
    "input.nul == 'admin'",
    "input.nulkey",
    "input.halfkey",
    "input.tuplekey",
    "input.object",
    "input.object == input.object",
    "input.function",
    "[input.bytes]",
    "[1].map(x, input.object)",
    "input == input",
    "bytes('ab')",
    "[bytes('ab')]",
    "type(1)",
    "1.5e308 * 10.0",
    "1.0 / 0.0",
    "[0.0 / 0.0]",
    "-9223372036854775807 - 2",
    "4611686018427387904 * 2",
    "int(1e300)",
    "round(1e300)",
    "floor(1e300 * 1e300)",
    "sum([9223372036854775807, 1])",
    "abs(-9223372036854775807 - 1)",
    "number('1' + input.aaaa)",
    "number('1e99999')",
    "number('nan')",
    "number('0x10')",
    "number('1_000')",
    "round(1.5, 1000000)",
    "timestamp('9999-12-31T23:59:59Z') + duration('1h')",
    "add_seconds(now, 1e300)",
    "format_date(now, input.aaaa)",
    "duration('99999999999999h')",
    # growth
    "replace(input.aaaa, 'a', input.aaaa)",
    "input.aaaa.replace('a', input.aaaa)",
    "replace(input.aaaa, '', input.aaaa)",
    nested_call("replace", "'aaaaaaaa'", ",'a','aaaaaaaaaaaaaaaaaaaa')", 8),
    "join(split(input.aaaa, ''), input.aaaa)",
    "split(input.mib, '')",
    "split(input.mib, 'x')",
    "split(input.mib, '').join(input.mib)",
    "[" + ",".join(["replace(input.aaaa,'a','bbbbbbbbbb')"] * 90) + "]",
    "[" + ",".join(["input.mib"] * 100) + "]",
    "[" + ",".join(["text(input.mib)"] * 100) + "]",
    "+".join(["input.mib"] * 30),
    tree("input.mib", 7),
    "input.mib.matches(" + tree("input.aaaa", 6) + ")",
    "'a'.matches(input.pattern)",
    "'a'.matches('(((a{1000}){1000}){1000})')",
    "'a'.matches('" + "(" * 1000 + "')",
    "'a'.matches('(?=a)')",
    "input.mib.matches('(.{1,30}){1,30}y')",
    "input.mib.matches('(\\\\pL?){200}b')",
    "input.aaaa.matches('" + "(" + "|".join(f"\\\\p{name}*" for name in "LNSZPLNSZP") + "){60}b')",
    " || ".join(["'a'.matches('(\\\\pL?){200}b')"] * 50),
    "'a'.matches('(\\\\pL{9}){99}')",
    "'a'.matches('(a)\\\\1')",
    # loops
    "input.many.map(x, input.many.map(y, x))",
    "input.many.map(x, input.many)",
    "input.many.map(x, input.mib)",
    "input.many.map(x, replace(input.mib, 'x', 'yy'))",
    "join(input.many.map(x, input.mib))",
    "input.many.map(x, x).map(x, x)",
    nested_loops(6),
    doubling("input.mib", "?+?", 4),
    doubling("input.mib", "?+?", 8),
    doubling("input.mib", "[?,?,?,?,?,?,?,?]", 8),
    doubling("[1]", "?+?+?+?+?+?+?+?+?+?", 9),
    doubling("input.rows", "?+?", 7),
    doubling("'x'", "?+?+?+?+?+?+?+?+?+?+?+?+?+?+?+?", 8),
    "[input.mib].map(a, [a,a,a,a,a,a,a,a]).map(a, [a,a,a,a,a,a,a,a]).map(a, [a,a,a,a,a,a,a,a])",
    "input.secret.map(x, x)",
    "[1].map(x, x.y)",
    "input.rows.map(r, r.nope)",
    "input.rows.filter(r, r.id)",
    "input.rows.exists(r, r)",
]


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


# Harmless, although it looks otherwise

HARMLESS: list[tuple[str, Any]] = [
    ("input.evil", DATA["evil"]),
    ("input.evil + ''", DATA["evil"]),
    ("input.__class__", 1),
    ('\'__import__("os").system("id")\'', '__import__("os").system("id")'),
    ("'{0.__class__}'.format([1])", "{0.__class__}"),
    ("'%s'.format(['%s'])", "%s"),
    ("input.aaaa.matches('^(a+)+$')", True),
    ("input.aaaa.matches('(a|aa)+b')", False),
    ("input.aaaa.matches('(a?){500}a{500}')", True),
    ("size(input.mib + input.mib)", 2 * MIB),
    ("-" * 3000 + "1", 1),
    ("!" * 3000 + "true", True),
    ("size([" + "1," * 1900 + "1])", 1901),
    ("true" + " && true" * 400, True),
    ("size('" + "x" * 4000 + "')", 4000),
    ("'\x01' + '\\x01'", "\x01\x01"),
    ("size(input.many.map(x, x + 1))", 9000),
    ("size(input.rows.filter(r, r.id % 2 == 0))", 2500),
    ("default(input.nope.map, 1)", 1),
]


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


# Side effects, as Python's audit events see them

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
