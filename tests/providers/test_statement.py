"""What a statement may be, before any database sees it. No server is needed for what is refused here."""

from __future__ import annotations

from typing import Any

import pytest

from engine.ports import Rejected
from integrations.statement import Dialect, read_statement
from tests.providers.sql_corpus import HARMLESS, MYSQL, POSTGRES, SQLITE

# These can be read by anybody; what stops them is the read-only transaction, the authorizer, the user's rights or the clock.
LEFT_TO_THE_SERVER = {
    "SELECT count(*) FROM generate_series(1, 1000000000) a, generate_series(1, 1000000000) b",
    "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT count(*) FROM t",
    "WITH RECURSIVE t AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM t) SELECT count(*) FROM t a, t b, t c",
    "SELECT count(*) FROM cars a, cars b, cars c, cars d, cars e, seq_1_to_1000000 f, seq_1_to_1000000 g",
    "SELECT wipe()",
    "SELECT wipe_all()",
    "SELECT '\\'; DELETE FROM cars; --'",
    "SELECT '\\'; DELETE FROM cars; -- '",
    "SELECT * FROM pragma_database_list",
    "SELECT zeroblob(1000000000)",
    "SELECT hex(zeroblob(3000000))",
    "SELECT printf('%1000000000d', 1)",
    SQLITE[30],
}
HOSTILE = (
    [("postgres", each) for each in POSTGRES]
    + [("mysql", each) for each in MYSQL]
    + [("sqlite", each) for each in SQLITE]
)
READ_FIRST = [(dialect, each) for dialect, each in HOSTILE if each not in LEFT_TO_THE_SERVER]


def test_there_are_enough_hostile_statements() -> None:
    assert len(set(HOSTILE)) >= 150
    assert len(READ_FIRST) >= 140


@pytest.mark.parametrize(("dialect", "sql"), READ_FIRST)
@pytest.mark.parametrize("write", [False, True], ids=["read", "write"])
def test_what_is_refused_before_it_is_sent(dialect: Dialect, sql: str, write: bool) -> None:
    changes = sql.startswith(("DELETE", "UPDATE", "INSERT", "WITH")) and ";" not in sql
    locks = ("FOR " in sql and sql.startswith("SELECT") and "pg_" not in sql) or "SHARE MODE" in sql
    if write and (changes or locks):
        return  # That is what writing is for.
    with pytest.raises(Rejected) as refused:
        read_statement(sql, dialect, {}, write=write)
    assert refused.value.details == {"rule": "sql"}
    assert refused.value.message.endswith(".")


@pytest.mark.parametrize("dialect", ["postgres", "mysql", "sqlite"])
@pytest.mark.parametrize("sql", HARMLESS)
def test_ordinary_questions_pass_unchanged(dialect: Dialect, sql: str) -> None:
    if dialect == "mysql" and '"' in sql:
        sql = sql.replace('"', "`")
    statement = read_statement(sql, dialect, {}, write=False)
    assert (statement.pieces, statement.values, statement.writes) == ((sql.rstrip(";"),), (), False)


def marked(sql: str, dialect: Dialect, parameters: Any) -> tuple[str, tuple[Any, ...]]:
    statement = read_statement(sql, dialect, parameters, write=False)
    return statement.text(lambda number, _value: f"${number}"), statement.values


@pytest.mark.parametrize("dialect", ["postgres", "mysql", "sqlite"])
def test_names_become_places(dialect: Dialect) -> None:
    sql = "SELECT name FROM cars WHERE price > :price AND name = :order OR price=:price"
    assert marked(sql, dialect, {"price": 5, "order": "x"}) == (
        "SELECT name FROM cars WHERE price > $1 AND name = $2 OR price=$3",
        (5, "x", 5),
    )


@pytest.mark.parametrize("dialect", ["postgres", "mysql", "sqlite"])
def test_marks_take_a_list_in_order(dialect: Dialect) -> None:
    assert marked("SELECT '?' AS a FROM cars WHERE id IN (?, ?)", dialect, [1, 2]) == (
        "SELECT '?' AS a FROM cars WHERE id IN ($1, $2)",
        (1, 2),
    )


def test_postgres_own_signs_are_no_parameters() -> None:
    sql = "SELECT price::int, '{\"a\": 1}'::jsonb ? 'a' FROM cars WHERE name = :name"
    assert marked(sql, "postgres", {"name": "x"})[0] == sql.replace(":name", "$1")


@pytest.mark.parametrize(
    ("parameters", "sql", "told"),
    [
        ({"a": 1}, "SELECT :b", "The statement has :b, and there is no such parameter; there are a."),
        ({}, "SELECT :b", "there are none."),
        ([], "SELECT ?", "The statement has more ? than the 0 parameters given."),
        ([1, 2], "SELECT ?", "2 parameters are given, and the statement has 1 times ?."),
    ],
)
def test_parameters_that_do_not_fit_are_told(parameters: Any, sql: str, told: str) -> None:
    with pytest.raises(Rejected, match=told.replace("?", r"\?")):
        read_statement(sql, "sqlite", parameters, write=False)


def test_changing_needs_both_words() -> None:
    assert read_statement("UPDATE cars SET price = :p", "postgres", {"p": 1}, write=True).writes
    assert read_statement("INSERT INTO cars (id) VALUES (:p)", "mysql", {"p": 1}, write=True).writes
    with pytest.raises(Rejected, match="Set mode to write"):
        read_statement("UPDATE cars SET price = :p", "postgres", {"p": 1}, write=False)
