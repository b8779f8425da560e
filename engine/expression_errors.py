"""What can go wrong with an expression: a problem when it is compiled, an error when it is evaluated."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class ExpressionProblem(Exception):
    """The text is no expression. `position` is a character offset into `source`, from 0; None where no place is meant.

    `path` says which value of a template it is, such as `headers.X-Id` or `to[0]`; empty for a single expression.
    """

    def __init__(self, message: str, source: str = "", position: int | None = None, path: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.source = source
        self.position = position
        self.path = path


class ExpressionError(Exception):
    """The expression has no value here. `available` are the names there are, when a reference failed."""

    def __init__(self, message: str, source: str = "", available: Sequence[str] = (), path: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.source = source
        self.available = list(available)
        self.path = path


_KINDS = {
    "NoneType": "null",
    "bool": "true or false",
    "int": "a whole number",
    "float": "a number",
    "str": "text",
    "list": "a list",
    "tuple": "a list",
    "dict": "a map",
    "datetime": "a timestamp",
    "timedelta": "a duration",
    "bytes": "bytes",
    "bytearray": "bytes",
}


def kind_of(value: Any) -> str:
    """What people call this kind of value: "text", "a list"."""
    return _KINDS.get(type(value).__name__, "a value that is not JSON")
