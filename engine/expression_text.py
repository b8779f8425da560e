"""Functions of text."""

from __future__ import annotations

import re
from typing import Any

from engine.expression_arguments import charge, list_of, number_of, text_of, whole_of
from engine.expression_values import Measure, as_json, as_text

_NUMERAL = re.compile(r"[+-]?(\d{1,400}(\.\d{0,400})?|\.\d{1,400})([eE][+-]?\d{1,4})?", re.ASCII)


def number(value: Any) -> float:
    if isinstance(value, str):
        if not _NUMERAL.fullmatch(value.strip()):
            raise ValueError(f"'{value[:40]}' is not a number; write it like 1234.5")
        value = float(value)
    return float(number_of(value))


def text(value: Any) -> str:
    return as_text(Measure(ordered=True).plain(value))


def json_text(value: Any) -> str:
    return as_json(Measure(ordered=True).plain(value), ordered=True)


def join(items: Any, separator: Any = "") -> str:
    texts = [text(each) for each in list_of(items)]
    charge(sum(map(len, texts)) + len(text_of(separator)) * len(texts))
    return str(separator).join(texts)


def split(value: Any, separator: Any, limit: Any = -1) -> list[str]:
    if not separator:
        charge(64 * len(text_of(value)))
        return list(value)
    charge(64 * text_of(value).count(text_of(separator)))
    most = whole_of(limit)
    if most in (0, 1):
        return [value][:most]
    return list(value.split(separator, most - 1 if most > 0 else -1))


def replace(value: Any, old: Any, new: Any, limit: Any = -1) -> str:
    found = text_of(value).count(text_of(old)) if old else len(value) + 1
    most = whole_of(limit)
    charge(len(value) + (min(found, most) if most >= 0 else found) * len(text_of(new)))
    return str(value.replace(old, new, most))


def substring(value: Any, start: Any, end: Any = None) -> str:
    first, last = whole_of(start), len(text_of(value)) if end is None else whole_of(end)
    if not 0 <= first <= last <= len(value):
        raise ValueError(f"there is no part {first} to {last} in a text of {len(value)} characters; slice() is lenient")
    return str(value[first:last])


def char_at(value: Any, index: Any) -> str:
    at = whole_of(index)
    if not 0 <= at <= len(text_of(value)):
        raise ValueError(f"there is no character {at} in a text of {len(value)} characters")
    return str(value[at : at + 1])


def last_index_of(value: str, part: str) -> int:
    """As `rfind`, which takes time in proportion to the product of both; looking forward does not."""
    found = value[::-1].find(part[::-1])
    return -1 if found < 0 else len(value) - found - len(part)


_VERB = re.compile(r"%(?:\.(\d{1,2}))?(.)?", re.DOTALL)


def format_text(pattern: Any, values: Any) -> str:
    """The verbs %s %d %f %.2f %e %%, each reading the next value."""
    rest = iter(list_of(values))

    def written(verb: re.Match[str]) -> str:
        if verb[2] == "%":
            return "%"
        if verb[2] not in ("s", "d", "f", "e"):
            raise ValueError(f"'{verb.group()}' is not known; there are %s %d %f %.2f %e and %%")
        try:
            value = next(rest)
        except StopIteration:
            raise ValueError("there are more % places than values") from None
        result = text(value) if verb[2] == "s" else _formatted(verb, value)
        charge(len(result))
        return result

    return _VERB.sub(written, text_of(pattern))


def _formatted(verb: re.Match[str], value: Any) -> str:
    if verb[2] == "d":
        return str(whole_of(value))
    return f"{number_of(value):.{int(verb[1] or 6)}{verb[2]}}"
