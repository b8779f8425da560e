"""The functions that expressions have besides CEL's own. `FUNCTIONS` is the list an editor shows.

Each takes JSON values (and CEL's timestamps), and raises ValueError with half a sentence that teaches.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from engine import expression_collections as collections
from engine import expression_numbers as numbers
from engine import expression_text as texts
from engine.expression_arguments import text_of
from engine.expression_dates import add_seconds, days_between, format_date

Call = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Function:
    """Takes `least` to `most` arguments; the first `lenient` (all, if -1) may be references to something absent."""

    run: Call
    help: str
    least: int
    most: int
    lenient: int = 0


TABLE: dict[str, Function] = {
    "abs": Function(numbers.absolute, "abs(x): the number without its sign", 1, 1),
    "add_seconds": Function(add_seconds, "add_seconds(t, n): the moment n seconds after t", 2, 2),
    "avg": Function(numbers.average, "avg(list): the mean of the numbers", 1, 1),
    "ceil": Function(lambda x: numbers.integer(x, math.ceil), "ceil(x): rounded up to a whole number", 1, 1),
    "coalesce": Function(collections.coalesce, "coalesce(a, b, …): the first that is there and not null", 1, 50, -1),
    "contains": Function(collections.contains, "contains(list_or_text, x): whether x is in it", 2, 2),
    "days_between": Function(days_between, "days_between(a, b): whole days from a to b", 2, 2),
    "default": Function(collections.default, "default(x, y): x, or y when x is absent or null", 2, 2, 1),
    "first": Function(collections.edge(0), "first(list): the first item, null when there is none", 1, 1),
    "floor": Function(lambda x: numbers.integer(x, math.floor), "floor(x): rounded down to a whole number", 1, 1),
    "format_date": Function(format_date, 'format_date(t, "YYYY-MM-DD HH:mm"): a moment as text, in UTC', 2, 2),
    "get": Function(collections.get, 'get(value, "path.to[0]", y): what is there, or y', 2, 3, 1),
    "join": Function(texts.join, 'join(list, ", "): the items as one text', 1, 2),
    "json": Function(texts.json_text, "json(x): the value as JSON text", 1, 1),
    "keys": Function(collections.keys, "keys(map): its keys, sorted", 1, 1),
    "last": Function(collections.edge(-1), "last(list): the last item, null when there is none", 1, 1),
    "length": Function(collections.length, "length(x): how many characters, items or keys", 1, 1),
    "lower": Function(lambda x: text_of(x).lower(), "lower(x): in small letters", 1, 1),
    "max": Function(numbers.chosen(max), "max(a, b, …) or max(list): the largest", 1, 50),
    "min": Function(numbers.chosen(min), "min(a, b, …) or min(list): the smallest", 1, 50),
    "number": Function(texts.number, 'number(x): text such as "12.5" as a number', 1, 1),
    "replace": Function(texts.replace, "replace(s, a, b): every a in s becomes b", 3, 3),
    "round": Function(numbers.round_to, "round(x, digits): rounded, halves away from zero", 1, 2),
    "slice": Function(collections.part, "slice(x, a, b): the part from a up to b; negative counts from the end", 2, 3),
    "sort": Function(collections.ordered, "sort(list): numbers or texts in order", 1, 1),
    "split": Function(texts.split, 'split(s, ","): the text as a list', 2, 2),
    "sum": Function(numbers.total, "sum(list): the numbers added up", 1, 1),
    "text": Function(texts.text, "text(x): any value as text", 1, 1),
    "title": Function(lambda x: text_of(x).title(), "title(x): With Capital Letters", 1, 1),
    "trim": Function(lambda x: text_of(x).strip(), "trim(x): without spaces around", 1, 1),
    "unique": Function(collections.unique, "unique(list): each item once, in order", 1, 1),
    "upper": Function(lambda x: text_of(x).upper(), "upper(x): in capital letters", 1, 1),
    "values": Function(collections.values_of, "values(map): its values, sorted by key", 1, 1),
}

HIDDEN: dict[str, Call] = {
    "has": collections.has,
    "peek": collections.peek,
    "chunks": collections.chunks,
    "flat": collections.flat,
}
"""What the compiler writes into an expression; nobody calls these by name."""

_HELP = {"has": "has(input.email): whether it is there"} | {name: function.help for name, function in TABLE.items()}

FUNCTIONS: dict[str, str] = dict(sorted(_HELP.items()))
"""Name to one line of help, in alphabetical order."""
