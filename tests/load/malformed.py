"""Bodies and queries that no client should send. Each has a name, so that a failure says which."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import orjson

DEEP = 100_000


def _said(value: Any) -> bytes:
    return orjson.dumps(value)


_BROKEN: list[bytes] = [
    b"", b" ", b"\n", b"{", b"}", b"[", b"]", b"{]", b"[}", b"{{}}", b"nul", b"tru", b"undefined", b"None", b"NaN", b"Infinity",
    b"-Infinity", b'{"a":NaN}', b'{"a":Infinity}', b'{"a":-Infinity}', b"{'a':1}", b'{"a":1,}', b'{,"a":1}', b'{"a" 1}',
    b'{"a"}', b'{"a":}', b'{:1}', b'{1:1}', b'{null:1}', b'{"a":1 "b":2}', b'{"a":1}{"b":2}', b'{"a":1}x', b"// c\n{}",
    b"/* c */{}", b'{"a":01}', b'{"a":+1}', b'{"a":.5}', b'{"a":1.}', b'{"a":0x10}', b'{"a":1e}', b'{"a":1_000}', b'{"a":"\n"}',
    b'{"a":"\t"}', b'{"a":"\x00"}', b'{"a":"\\x41"}', b'{"a":"\\u12"}', b'{"a":"\\ud800"}', b'{"a":"\\udc00\\ud800"}',
    b'{"\\ud800":1}', b'{"a":"\\u0000"}', b'{"\\u0000":1}', b'{"a":"', b'{"a":"\\', b"\xef\xbb\xbf{}", b'{"a":"\xff"}',
    b'{"a":"\xc0\xaf"}', b'{"a":"\xed\xa0\x80"}', b'{"a":"\xf5\x80\x80\x80"}', b'{"a":"\xe2\x82"}', "{}".encode("utf-16"),
    "{}".encode("utf-32"), '{"a":"é"}'.encode("latin-1"), b"<a/>", b"a=1&b=2", b"--x\r\n\r\n--x--", b"\x80\x04N.", b"%PDF-1.7",
    b"PK\x03\x04", b"\x1f\x8b\x08\x00", b"GET / HTTP/1.1\r\n\r\n", b"{}" * 10, b"\x00" * 64, b"a" * 4096,
]  # fmt: skip
_SHAPES: list[bytes] = [
    b"null", b"true", b"false", b"0", b"-1", b"1.5", b'""', b'"text"', b"[]", b"[[]]", b"[{}]", b"[1,2,3]", b"{}", b'{"":1}',
    b'{"a":1,"a":2}', b'{"__proto__":{"admin":true}}', b'{"constructor":{"prototype":{}}}', b'{"id":"x","organization_id":"x"}',
    b'{"$ref":"#"}', b'{"a":{"$gt":""}}', b'{"a__in":[1]}', b'{"pk":1}', b'{"password":{"a":1}}', b'{"a":' + b"1" * 5000 + b"}",
    b'{"a":-' + b"9" * 400 + b"}", b'{"a":1e400}', b'{"a":1e-400}', b'{"a":9223372036854775808}', b'{"a":18446744073709551616}',
    b'{"a":0.1e1000000000}', b"[" * 200 + b"]" * 200, b"[" * DEEP, b"[" * DEEP + b"]" * DEEP, b'{"a":' * DEEP,
    b'{"a":' * 2000 + b"1" + b"}" * 2000, b'{"a":"' + b"x" * 1_000_000 + b'"}', b'{"' + b"k" * 100_000 + b'":1}',
    _said({f"k{at}": at for at in range(20_000)}), _said([0] * 200_000), _said({"a": ["\u202e\u0000"]}),
    _said({"a": "\ufeff" * 999}),
]  # fmt: skip
# What may stand in any field.
JUNK: list[Any] = [
    None, True, False, 0, -1, 1, 2**31, 2**63 - 1, -(2**63), 0.1, -0.0, 1e308, 5e-324, "", " ", "\t", "\n", "x", "0",
    "-1", "1e5", "NaN",
    "null", "true", "[]", "{}", "None", "undefined", "\u0000", "a\u0000b", "\ud7ff", "\ue000", "\uffff", "\u202e",
    "\u200b", "\ufeff",
    "é" * 300, "𝕏" * 300, "İ", "ß", "ﬃ", "\r\nSet-Cookie: a=b", "a\r\nb", "<script>alert(1)</script>", "'", '"', "`",
    "\\", "\\\\", "/", "//",
    "..", "../../etc/passwd", "..\\..\\x", "%00", "%2e%2e", "${7*7}", "{{7*7}}", "{{ 1 / 0 }}", "{% load x %}",
    "#{7*7}", "' OR 1=1--",
    "'; DROP TABLE users;--", "1; SELECT pg_sleep(9)", "*", "%", "_", "%s", "%n", "{0}", "$where", "__class__",
    "javascript:alert(1)",
    "data:text/html,x", "file:///etc/passwd", "http://127.0.0.1:1/", "http://[::1]/", "//evil.example", "mailto:a@b",
    "a@b", "a@b@c", "@",
    "a" * 255, "a" * 256, "a" * 10_000, "0" * 400, "-" * 400, "2024-02-30", "2024-01-01T25:00:00Z", "0000-00-00",
    "9999-12-31T23:59:59Z",
    "-0001-01-01", "1970-01-01T00:00:00+99:99", "P1Y", "24:00", "00000000-0000-0000-0000-000000000000", "{018f0000}", "018f0000",
    [], [None], [[]], [[[[[]]]]], [1, "a", None, {}], ["x"] * 2000, [{"a": 1}] * 500, {}, {"a": None}, {"": ""},
    {"a": {"b": {"c": {}}}},
    {"type": "x"}, {"id": 1}, {"$ref": "#/"}, {"__proto__": 1}, {"\u0000": 1}, {"nodes": None}, {"nodes": [None]},
    {"nodes": [{}], "edges": [{}]},
    {"nodes": [{"id": "a", "type": "start"}], "edges": [{"source": "a", "target": "a"}]}, {"nodes": "x", "edges": 1},
]  # fmt: skip

RAW: dict[str, bytes] = {
    **{f"broken {at}": each for at, each in enumerate(_BROKEN)},
    **{f"shape {at}": each for at, each in enumerate(_SHAPES)},
}
_PLAIN = [each for each in JUNK if isinstance(each, str) and len(each) < 4000]
QUERIES: dict[str, str] = {
    **{f"text {at}": quote(each.encode("utf-8", "surrogatepass"), safe="") for at, each in enumerate(_PLAIN)},
    "bad utf-8": "%ff%fe", "a surrogate": "%ed%a0%80", "overlong": "%c0%af", "half an escape": "%", "a wrong escape": "%zz",
    "many": "1" * 3000, "a number too large": "9" * 40, "a fraction": "1.5", "a negative": "-5", "nested": "[a][b]", "plus": "+1",
}  # fmt: skip


def of_fields(names: list[str], junk: Any) -> bytes:
    """A body in which every field holds the same thing."""
    return orjson.dumps(dict.fromkeys(names, junk)) if names else orjson.dumps({"a": junk})
