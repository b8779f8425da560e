"""Expressions that have no value, or only look as if they meant harm, and the data that they are given."""

from __future__ import annotations

from typing import Any

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

# These compile, but have no value.
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

# Harmless, although it looks otherwise.
HARMLESS: list[tuple[str, Any]] = [
    # Looking for a long text in another, where the last character but one decides.
    ("(input.mib + input.mib).contains(input.mib + 'y')", False),
    ("contains(input.mib + input.mib, input.mib + 'y')", False),
    ("(input.mib + input.mib).indexOf(input.mib + 'y')", -1),
    ("(input.mib + input.mib).lastIndexOf('xy' + input.mib)", -1),
    ("(input.mib + 'yz' + input.mib).lastIndexOf('yz')", MIB),
    ("size(split(input.mib + input.mib, input.mib + 'y'))", 1),
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
