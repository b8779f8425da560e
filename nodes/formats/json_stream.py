"""The elements of a JSON array of any length, one at a time. Any other value is one item."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import IO, Any

from nodes.formats.content import MIB, Unreadable
from nodes.formats.json_text import check_depth, finite, refuse_constant

READ = 256 * 1024  # characters taken at once
MAX_ITEM = 4 * MIB  # characters of one element
MAX_WHOLE = 16 * MIB  # characters of a document that is no array

_BLANK = " \t\r\n"
_DECODER = json.JSONDecoder(parse_constant=refuse_constant, parse_float=finite)


class _Window:
    """The part of a text that is being read: `text[at:]` is not used up yet."""

    def __init__(self, source: IO[str]) -> None:
        self._source = source
        self.text = ""
        self.at = 0
        self.ended = False
        self.passed = 0  # characters before `text`

    def more(self) -> None:
        """Let go of what is used up, and take as much again as is left."""
        left = len(self.text) - self.at
        piece = self._source.read(max(READ, left))
        self.passed += self.at
        self.text, self.at = self.text[self.at :] + piece, 0
        self.ended = not piece

    def peek(self) -> str:
        """The next sign that is no blank, or "" at the end."""
        while True:
            while self.at < len(self.text) and self.text[self.at] in _BLANK:
                self.at += 1
            if self.at < len(self.text):
                return self.text[self.at]
            if self.ended:
                return ""
            self.more()


def stream_json(source: IO[str]) -> Iterator[Any]:
    """Raises `Unreadable`, saying at which element or character."""
    window = _Window(source)
    if window.peek() != "[":
        yield _value(window, "The JSON", MAX_WHOLE)
        _end(window)
        return
    window.at += 1
    number = 0
    if window.peek() == "]":
        window.at += 1
        _end(window)
        return
    while True:
        number += 1
        window.peek()
        yield _value(window, f"Element {number} of the JSON array", MAX_ITEM)
        sign = window.peek()
        window.at += 1
        if sign == "]":
            break
        if sign != ",":
            raise Unreadable(
                f"The JSON array is not valid after element {number}, at character {window.passed + window.at}: "
                f"{'it ends there' if not sign else 'a comma or ] is missing'}."
            )
    _end(window)


def _value(window: _Window, what: str, most: int) -> Any:
    """The value at the window's place, once all of it is there."""
    while True:
        problem: str
        try:
            value, end = _DECODER.raw_decode(window.text, window.at)
        except json.JSONDecodeError as error:
            problem = f"{error.msg} at character {window.passed + error.pos + 1}"
        except RecursionError:
            raise Unreadable(f"{what} is nested too deeply.") from None
        except ValueError as error:
            raise Unreadable(f"{what} is not valid JSON: {error}.") from error
        else:
            # A number that touches the end of the window may go on after it.
            if end < len(window.text) or window.ended:
                window.at = end
                check_depth(value, what)
                return value
            problem = ""
        if window.ended:
            raise Unreadable(f"{what} is not valid JSON: {problem}.")
        if len(window.text) - window.at > most:
            reason = (
                f"{problem}, or it is longer than {most:,} characters" if problem else f"it is over {most:,} characters"
            )
            raise Unreadable(f"{what} cannot be read: {reason}.")
        window.more()


def _end(window: _Window) -> None:
    if window.peek():
        raise Unreadable(f"The JSON goes on after its end, at character {window.passed + window.at + 1}.")
