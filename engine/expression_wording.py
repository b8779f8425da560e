"""CEL's messages, turned into one sentence that teaches."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping

from engine.expression_cel import FUNCTION, TAUGHT, VARIABLE
from engine.expression_reading import Reading

_KINDS = {
    "int": "a whole number",
    "int64": "a whole number",
    "uint": "an unsigned number",
    "uint64": "an unsigned number",
    "double": "a number",
    "string": "text",
    "bool": "true or false",
    "null_type": "null",
    "list": "a list",
    "map": "a map",
    "bytes": "bytes",
    "timestamp": "a timestamp",
    "duration": "a duration",
    "google.protobuf.Timestamp": "a timestamp",
    "google.protobuf.Duration": "a duration",
    "type": "a type",
    "dyn": "a value",
}
_COMPILE = re.compile(r"ERROR: <input>:(-?\d+):(-?\d+): (.*)")
_INNER = re.compile(rf"\b({VARIABLE}\d+|{FUNCTION}\w+)\b")
_OVERLOAD = re.compile(r"found no matching overload for '([^']+)' applied to '\((.*)\)'")
_NO_MATCH = re.compile(r"No matching overloads found : (?:\((?P<on>[^)]*)\)\.)?(?P<name>[^(]+)(?:\((?P<kinds>.*)\))?")
_TOO_DEEP = (
    "This chains or nests more than 32 steps; write long chains as join([a, b, …], ' ') or sum([a, b, …]),"
    " or split them over several steps."
)
_NOT_HERE = re.compile(r"(?:extraneous input|mismatched input|no viable alternative at input) '(.*?)'(?: expecting|$)")


def compile_problem(raw: str, reading: Reading, length: int) -> tuple[str, int | None]:
    """The sentence, and the character offset in the source that it is about. `length` of the source, for its end."""
    if "recursion" in raw:
        return _TOO_DEEP, None
    first = _COMPILE.search(raw)
    if first is None:
        return _clean(raw, reading), None
    line, column, said = int(first[1]), int(first[2]), first[3].removesuffix(" [INVALID_ARGUMENT]")
    if "<EOF>' expecting" in said and "mismatched input" in said:
        return "The expression ends too early.", length
    return _compile_sentence(said, reading), _place(line, column, reading)


def _place(line: int, column: int, reading: Reading) -> int | None:
    """The source offset for CEL's line and column (from 1) in the rewritten text."""
    if line < 1 or column < 1:
        return None
    starts = [0, *(found.end() for found in re.finditer("\n", reading.text))]
    offset = starts[min(line, len(starts)) - 1] + column - 1
    index = bisect_right([inner for inner, _ in reading.places], offset) - 1
    return reading.places[max(index, 0)][1]


def _compile_sentence(said: str, reading: Reading) -> str:
    if overload := _OVERLOAD.search(said):
        return _mismatch(overload[1], _split_kinds(overload[2]))
    if "Syntax error" in said:
        found = _NOT_HERE.search(said)
        return (
            f"This {_renamed(found[1], reading)[:60]} is not expected here." if found else "This is not expected here."
        )
    if "invalid int literal" in said or "invalid uint literal" in said:
        return "This whole number is larger than 64 bits; write it as text."
    if found := re.search(r"undeclared reference to '([^']+)'", said):
        return f"{_renamed(found[1], reading)}() does not take these values."
    if found := re.search(r"expression of type '([^']+)' cannot be the range", said):
        return f"Only a list or a map can be looped over, not {_kind(found[1])}."
    return _clean(said, reading)


def evaluation_error(raw: str, reading: Reading) -> str:
    """What went wrong while evaluating, except for absent references."""
    if TAUGHT in raw:
        return re.sub(r" \[[A-Z_]+\]$", "", raw.split(TAUGHT, 1)[1])
    said = re.sub(r"^[A-Z_]+: ", "", raw)
    for pattern, sentence in _SENTENCES.items():
        if found := re.search(pattern, said):
            return found.expand(sentence)
    if found := _NO_MATCH.search(said):
        kinds = [found["on"]] if found["on"] else []
        return _mismatch(found["name"].strip(), [*kinds, *_split_kinds(found["kinds"] or "")])
    return _clean(said, reading)


_SENTENCES: Mapping[str, str] = {
    r'Key not found in map : "?(.*?)"?$': r'There is no "\1" in that map; get(map, "\1", "") allows it to be absent.',
    r"Index error: index=(-?\d+) size=(\d+)": r"There is no item \1: the list has \2, and counting starts at 0.",
    r"Index error: expected integer type": "A list is read by a whole number, such as [0].",
    r"Invalid container type|SELECT to non-message": "Only a map has named values, and only a list has items.",
    r"Invalid map key type": "The keys of a map are text.",
    r"divide by zero|modulus by zero": "Nothing can be divided by zero.",
    r"integer overflow|int64 range|out of.*range": "The whole number becomes larger than 64 bits.",
    r"jump_condition": "What stands before ? must be true or false.",
    r"overloads found : (_&&_|_\|\|_|!_)": "Only true and false can be joined with && and || or negated with !.",
    r"Iteration budget": "This loops over more than 10000 items in all; use a map step for so many.",
    r"invalid regular expression: (.{,80})": r"The pattern is not a regular expression: \1.",
    r"String to Timestamp": "timestamp() reads text such as 2026-01-31T08:00:00Z.",
    r"String to Duration": "duration() reads text such as 90s or 1h30m.",
    r"cannot convert|Failed to convert": "The value cannot be converted; number(x) reads text such as 12.5.",
    r"duplicate key": "A map has the same key twice.",
    r"basic_string": "The text has a broken character (half of a surrogate pair).",
}

_SIGNS = {"@in": "in", "_[_]": "[ ]", "_?_:_": "? :", "-_": "-", "!_": "!", "_&&_": "&&", "_||_": "||"}


def _mismatch(operator: str, kinds: list[str]) -> str:
    if operator == "_?_:_":
        return "What stands before ? must be true or false."
    sign = _SIGNS.get(operator) or (operator[1:-1] if re.fullmatch(r"_\W+_", operator) else "")
    named = [_kind(each) for each in kinds]
    if not sign:
        name = operator.removeprefix(FUNCTION)
        return f"{name}() does not take {' and '.join(named) or 'these values'}."
    return f"{sign} does not work with {' and '.join(named) or 'these values'}{_advice(sign, kinds)}."


def _advice(sign: str, kinds: list[str]) -> str:
    plain = [each.split("(")[0] for each in kinds]
    if "null_type" in plain:
        return "; default(x, 0) replaces null"
    if "string" in plain and sign == "+":
        return "; text(x) makes text of any value, number(x) reads a number"
    if sign == "in":
        return "; it looks into a list or a map, contains(text, x) into text"
    if "string" in plain and sign != "[ ]":
        return "; number(x) reads a number from text"
    return ""


def _kind(name: str) -> str:
    return _KINDS.get(name.split("(")[0].strip(), name)


def _split_kinds(listed: str) -> list[str]:
    """`int, list(int)` at its outer commas."""
    parts, depth = [""], 0
    for character in listed:
        depth += {"(": 1, ")": -1}.get(character, 0)
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts if part.strip()]


def _renamed(said: str, reading: Reading) -> str:
    """Without the names that the rewriting gave."""
    labels = {inner: reference.label for reference, inner in reading.references.items()}
    return _INNER.sub(lambda found: labels.get(found[1], found[1].removeprefix(FUNCTION)), said)


def _clean(said: str, reading: Reading) -> str:
    """A sentence without CEL's own addressing."""
    said = _renamed(said, reading)
    said = re.sub(r"\(in container '[^']*'\)|<input>(:-?\d+)*:?|\[[A-Z_]+\]$|^[A-Z_]+: ", "", said)
    said = re.sub(r"\s+", " ", said).strip(" :")[:300]
    return said if said.endswith((".", "?")) else f"{said}."
