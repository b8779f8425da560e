"""Statements that are planned once for a connection: the same answers and errors as any other, and nothing grows old."""

from __future__ import annotations

import pytest
from django.db import DataError, connection, transaction
from django.db.transaction import TransactionManagementError
from django.test.utils import CaptureQueriesContext

from auterity.kernel import sql

SUM = "SELECT %s + 1"


def _prepared(fragment: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT COUNT(*) FROM pg_prepared_statements WHERE statement LIKE %s", [f"%{fragment}%"])
        return int(cursor.fetchone()[0])


def on_postgres() -> None:
    if connection.vendor != "postgresql":
        pytest.skip("Only PostgreSQL plans ahead.")


@pytest.mark.django_db
def test_answers_are_those_of_any_statement() -> None:
    assert sql.fetch(SUM, [1]) == [(2,)]
    assert sql.fetch("SELECT 1 WHERE 1 = %s", [2]) == []


@pytest.mark.django_db
def test_it_is_planned_once_for_the_connection() -> None:
    on_postgres()
    for number in range(20):
        assert sql.fetch("SELECT %s::int + 41", [number]) == [(number + 41,)]
    assert _prepared("+ 41") == 1


@pytest.mark.django_db
def test_whoever_counts_statements_hears_it() -> None:
    with CaptureQueriesContext(connection) as heard:
        sql.fetch(SUM, [1])
    assert len(heard) == 1


@pytest.mark.django_db(transaction=True)
def test_it_outlives_a_rolled_back_transaction_and_a_changed_table() -> None:
    on_postgres()
    text = "SELECT * FROM planned_once WHERE id = %s"
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE planned_once (id int)")
    try:
        assert sql.fetch(text, [1]) == []
        with transaction.atomic():
            sql.fetch(text, [1])
            transaction.set_rollback(True)
        assert sql.fetch(text, [1]) == []
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE planned_once ADD COLUMN more int")
            cursor.execute("INSERT INTO planned_once VALUES (1, 2)")
        assert sql.fetch(text, [1]) == [(1, 2)]
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE planned_once")


@pytest.mark.django_db(transaction=True)
def test_errors_are_djangos_and_a_broken_transaction_stays_broken() -> None:
    on_postgres()
    with pytest.raises(DataError):
        sql.fetch("SELECT 1 / %s::int", [0])
    with transaction.atomic():
        transaction.set_rollback(True)
        with pytest.raises(TransactionManagementError):
            sql.fetch(SUM, [1])
