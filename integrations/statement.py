"""One SQL statement for a customer's database, read before it is sent. Pure.

The rights of the connection's own user are the wall. This is the fence before it: one statement, no hidden parts, nothing but
reading (or changing rows, where that is permitted), no function that reads files, sleeps or runs SQL from a text. What is
checked is the text that is sent: constructs that two parsers could read differently are refused.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.tokens import Token, TokenType

from engine.ports import Rejected
from integrations.forbidden_functions import forbidden

Dialect = Literal["postgres", "mysql", "sqlite"]

MAX_CHARACTERS = 50_000
MAX_DEPTH = 200
logging.getLogger("sqlglot").setLevel(logging.ERROR)  # Its warnings quote customers' statements.

_SPACE = re.compile(r"[ \t\r\n]*")
_WORD = re.compile(r"[A-Za-z_]\w{0,62}")
_READS = (exp.Query,)
_WRITES = (exp.Insert, exp.Update, exp.Delete, exp.Merge)
_BEFORE_INTO = {"insert", "merge", "ignore"}
_NEVER_WORDS = {"outfile", "dumpfile", "infile"}
_STRINGS = {
    TokenType.HEREDOC_STRING: "text between dollar signs",
    TokenType.BYTE_STRING: "text with E'…' or a bytes prefix",
    TokenType.UNICODE_STRING: "text with U&'…'",
    TokenType.RAW_STRING: "raw text",
    TokenType.NATIONAL_STRING: "text with N'…'",
}


@dataclass(frozen=True, slots=True)
class Statement:
    """A checked statement: its text in pieces, with a value between each two. `writes` is whether it changes rows."""

    pieces: tuple[str, ...]
    values: tuple[Any, ...]
    writes: bool

    def text(self, mark: Callable[[int, Any], str]) -> str:
        """The statement with `mark(number from 1, value)` in the place of each value."""
        parts = [self.pieces[0]]
        for number, (value, piece) in enumerate(zip(self.values, self.pieces[1:], strict=True), start=1):
            parts += [mark(number, value), piece]
        return "".join(parts)


def read_statement(
    sql: str, dialect: Dialect, parameters: Mapping[str, Any] | Sequence[Any], *, write: bool
) -> Statement:
    """Check a statement and find the places of its parameters. Raises Rejected, saying what to write instead."""
    if len(sql) > MAX_CHARACTERS or "\x00" in sql:
        raise _refused(f"A statement may have {MAX_CHARACTERS:,} characters and no NUL.")
    tokens = _tokens(sql, dialect)
    _check_tokens(tokens, sql, dialect)
    writes = _check_tree(_tree(sql, dialect), write=write)
    _check_words(tokens, writes=writes)
    pieces, values = _slots(tokens, sql, parameters)
    return Statement(pieces, values, writes)


def _tokens(sql: str, dialect: Dialect) -> list[Token]:
    """The statement's tokens, without one `;` at the end."""
    try:
        tokens = sqlglot.Dialect.get_or_raise(dialect).tokenize(sql)
    except SqlglotError:
        raise _refused("The statement cannot be read; perhaps a quotation mark is missing.") from None
    end = 0
    for each in tokens:
        _only_space(sql[end : each.start])
        end = each.end + 1
    _only_space(sql[end:])
    if tokens and tokens[-1].token_type is TokenType.SEMICOLON:
        tokens.pop()
    if not tokens:
        raise _refused("The statement is empty.")
    return tokens


def _only_space(gap: str) -> None:
    """Between tokens there is nothing else: a comment that one parser skips may be a command to another."""
    if not _SPACE.fullmatch(gap):
        raise _refused("Leave comments out of the statement.")


def _check_tokens(tokens: list[Token], sql: str, dialect: Dialect) -> None:
    for at, each in enumerate(tokens):
        following = tokens[at + 1] if at + 1 < len(tokens) else None
        if each.token_type is TokenType.SEMICOLON:
            raise _refused("Give one statement; this text has several.")
        if each.token_type in _STRINGS:
            raise _refused(f"Give {_STRINGS[each.token_type]} as a parameter.")
        if dialect == "postgres" and sql[each.start : each.start + 2].lower() == "u&":
            raise _refused("Give text with U&'…' as a parameter.")
        if each.text.lower() == "u" and following is not None and sql[each.end + 1 : each.end + 3] in ("&'", '&"'):
            raise _refused("Give text with U&'…' as a parameter.")
        called = following is not None and following.token_type is TokenType.L_PAREN
        if called and each.token_type is not TokenType.STRING and forbidden(each.text, dialect):
            raise _refused(f"The function {each.text[:60]} must not be called from here.")
        if dialect != "mysql" and each.token_type is TokenType.PARAMETER:
            raise _refused("Write parameters as :name with a map of values, or as ? with a list.")


def _tree(sql: str, dialect: Dialect) -> exp.Expression:
    try:
        trees = [each for each in sqlglot.parse(sql, dialect=dialect) if each is not None]
    except (SqlglotError, RecursionError):
        raise _refused(
            "The statement is none that this step can read: SELECT, or with write mode INSERT, UPDATE, DELETE."
        ) from None
    if len(trees) != 1:
        raise _refused("Give one statement; this text has several.")
    return trees[0]  # type: ignore[return-value]


def _check_tree(tree: exp.Expression, *, write: bool) -> bool:
    """Whether the statement changes rows. Raises Rejected for what may not be run."""
    if not isinstance(tree, (*_READS, *_WRITES)):
        word = type(tree).__name__.upper() if not isinstance(tree, exp.Command) else str(tree.this).upper()[:20]
        raise _refused(f"{word} is not run from here; SELECT is, and with write mode INSERT, UPDATE and DELETE.")
    nodes = list(tree.walk())
    writes = any(isinstance(each, _WRITES) for each in nodes)
    if any(isinstance(each, (exp.Into, exp.Command, exp.Copy, exp.Create, exp.Drop)) for each in nodes):
        raise _refused("The statement puts its result somewhere else (INTO) or holds a command; take that part out.")
    if any(isinstance(each, exp.Lock) for each in nodes) and not write:
        raise _refused("A reading step takes no locks; leave FOR UPDATE and FOR SHARE out.")
    if writes and not write:
        raise _refused("This statement changes data. Set mode to write, and let the connection permit it.")
    return writes


def _check_words(tokens: list[Token], *, writes: bool) -> None:
    """Words that must not stand where they would open a file or another place to write to, whatever the parser made of them."""
    for at, each in enumerate(tokens):
        if each.token_type in (TokenType.STRING, TokenType.IDENTIFIER):
            continue
        word = each.text.lower()
        before = tokens[at - 1].text.lower() if at else ""
        if word in _NEVER_WORDS or (word == "into" and not (writes and before in _BEFORE_INTO)):
            raise _refused(f"{word.upper()} is not allowed here.")


def _slots(
    tokens: list[Token], sql: str, parameters: Mapping[str, Any] | Sequence[Any]
) -> tuple[tuple[str, ...], tuple[Any, ...]]:
    """The text around the parameters, and their values in order."""
    named = isinstance(parameters, Mapping)
    pieces: list[str] = []
    values: list[Any] = []
    start = tokens[0].start
    for at, each in enumerate(tokens):
        if named and each.token_type is TokenType.COLON and at + 1 < len(tokens):
            name = tokens[at + 1]
            text = sql[name.start : name.end + 1]
            if name.start != each.end + 1 or not _WORD.fullmatch(text):
                continue
            pieces.append(sql[start : each.start])
            values.append(_named(parameters, text))
            start = name.end + 1
        elif not named and each.token_type is TokenType.PLACEHOLDER:
            if len(values) >= len(parameters):
                raise _refused(f"The statement has more ? than the {len(parameters)} parameters given.")
            pieces.append(sql[start : each.start])
            values.append(list(parameters)[len(values)])
            start = each.end + 1
    if not named and len(values) != len(parameters):
        raise _refused(f"{len(parameters)} parameters are given, and the statement has {len(values)} times ?.")
    pieces.append(sql[start : tokens[-1].end + 1])
    return tuple(pieces), tuple(values)


def _named(parameters: Mapping[str, Any] | Sequence[Any], name: str) -> Any:
    if not isinstance(parameters, Mapping) or name not in parameters:
        there = ", ".join(sorted(map(str, parameters))[:20]) or "none"
        raise _refused(f"The statement has :{name}, and there is no such parameter; there are {there}.")
    return parameters[name]


def _refused(sentence: str) -> Rejected:
    return Rejected(sentence, rule="sql")
