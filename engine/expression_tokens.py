"""The words of an expression, and where `{{ }}` begins and ends in a text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from engine.expression_errors import ExpressionProblem

MAX_SOURCE = 4096  # bytes of UTF-8
OPEN, CLOSE = "{{", "}}"

Kind = Literal["name", "text", "number", "op"]


@dataclass(frozen=True, slots=True)
class Token:
    kind: Kind
    text: str
    start: int
    value: str = ""  # of quoted text: its content

    @property
    def end(self) -> int:
        return self.start + len(self.text)


_SPACE = re.compile(r"[ \t\r\n\f]+")
_NAME = re.compile(r"[^\W\d]\w*")
_QUOTE = re.compile(r"(?P<prefix>[rR]?)(?P<quote>'''|\"\"\"|'|\")")
_BYTES = re.compile(r"(?:[rR]?[bB]|[bB][rR])['\"]")
_ESCAPE = re.compile(r"\\(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-3][0-7]{2}|.)", re.ASCII | re.DOTALL)
_SHORT = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"} | {c: c for c in "\\\"'`?"}
_NUMBER = re.compile(r"0[xX][0-9a-fA-F]+[uU]?|(?:\d+\.\d+|\.\d+)(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+|\d+[uU]?", re.ASCII)
_OP = re.compile(r"&&|\|\||[<>=!]=|[-+*/%<>!?:.,()\[\]{}]")


def tokens_of(source: str) -> list[Token]:
    """The words of one expression. Raises `ExpressionProblem`."""
    found, _ = _scan(source, 0, in_template=False)
    return found


def split(text: str) -> tuple[str | tuple[str, int], ...]:
    """The parts of a template: literal text, or the source of an expression and its offset in `text`.

    A `}}` inside a quoted text or closing a map does not end an expression. Raises `ExpressionProblem`. Short ones are kept:
    a large workflow writes the same few again and again.
    """
    return _split_short(text) if len(text) <= MAX_SOURCE else _split(text)


def _split(text: str) -> tuple[str | tuple[str, int], ...]:
    parts: list[str | tuple[str, int]] = []
    position = 0
    while (opening := text.find(OPEN, position)) >= 0:
        if opening > position:
            parts.append(text[position:opening])
        start = opening + len(OPEN)
        _, end = _scan(text, start, in_template=True)
        if not text[start:end].strip():
            raise ExpressionProblem("There is nothing between {{ and }}.", text, opening)
        parts.append((text[start:end], start))
        position = end + len(CLOSE)
    if position < len(text):
        parts.append(text[position:])
    return tuple(parts)


_split_short = lru_cache(maxsize=4096)(_split)


def _scan(source: str, position: int, *, in_template: bool) -> tuple[list[Token], int]:
    """The words from `position` to the end, or up to the `}}` that ends the expression; and where that is."""
    found: list[Token] = []
    start, depth = position, 0
    while position < len(source):
        if position - start > MAX_SOURCE:
            raise ExpressionProblem(f"An expression is at most {MAX_SOURCE} bytes long.", source, start)
        if space := _SPACE.match(source, position):
            position = space.end()
            continue
        if in_template and depth == 0 and source.startswith(CLOSE, position):
            return found, position
        token = _next(source, position)
        depth += {"{": 1, "}": -1}.get(token.text, 0)
        found.append(token)
        position = token.end
    if in_template:
        raise ExpressionProblem("This {{ is never closed; write }} after the expression.", source, start - len(OPEN))
    return found, position


def _next(source: str, position: int) -> Token:
    if _BYTES.match(source, position):
        raise ExpressionProblem("Bytes cannot be written here; leave out the b.", source, position)
    if quote := _QUOTE.match(source, position):
        return _quoted(source, quote)
    if name := _NAME.match(source, position):
        return Token("name", name.group(), position)
    if number := _NUMBER.match(source, position):
        return Token("number", number.group(), position)
    if source.startswith(("//", "/*"), position):
        raise ExpressionProblem("An expression has no comments; leave this part out.", source, position)
    if operator := _OP.match(source, position):
        if source.startswith(("===", "!=="), position):
            raise ExpressionProblem("Compare with == or !=, with two characters.", source, position)
        return Token("op", operator.group(), position)
    raise ExpressionProblem(_stray(source[position]), source, position)


def _quoted(source: str, opening: re.Match[str]) -> Token:
    """A text, with its escapes read by ourselves: CEL gets it anew and cannot end it elsewhere than we do."""
    end = _closing(source, opening)
    content = source[opening.end() : end - len(opening["quote"])]
    if not opening["prefix"]:
        content = _ESCAPE.sub(
            lambda escape: _unescaped(escape.group(), source, opening.end() + escape.start()), content
        )
    if "\0" in content:  # The engine's text ends there.
        raise ExpressionProblem("A text cannot have a NUL character.", source, opening.start())
    return Token("text", source[opening.start() : end], opening.start(), content)


def _unescaped(escape: str, source: str, position: int) -> str:
    name = escape[1:]
    if name in _SHORT:
        return _SHORT[name]
    if len(name) > 1:
        code = int(name, 8) if name.isdecimal() and len(name) == 3 else int(name[1:], 16)
        if code < 0xD800 or 0xDFFF < code <= 0x10FFFF:
            return chr(code)
    raise ExpressionProblem(
        f"The escape {escape} does not exist; a backslash itself is written \\\\.", source, position
    )


def _closing(source: str, opening: re.Match[str]) -> int:
    """The offset after the closing quote."""
    quote, raw = opening["quote"], bool(opening["prefix"])
    position = opening.end()
    while position < len(source):
        if source.startswith(quote, position):
            return position + len(quote)
        if source[position] in "\r\n" and len(quote) == 1:
            break
        position += 2 if source[position] == "\\" and not raw else 1
    raise ExpressionProblem("The text that starts here has no closing quote.", source, opening.start())


def _stray(character: str) -> str:
    hints = {
        "=": "To compare, write == with two characters.",
        "&": "For 'and', write && with two characters.",
        "|": "For 'or', write || with two characters; there are no filters after a bar.",
        "`": 'Names with other characters are written in brackets: input["first-name"].',
        "\\": "A backslash belongs inside quotes only.",
        "$": "Names are written without $.",
    }
    shown = character if character.isprintable() and character.isascii() else f"U+{ord(character):04X}"
    return hints.get(character, f"The character {shown} has no place in an expression.")
