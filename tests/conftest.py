"""What every test needs: the folder that WhiteNoise looks for, and services only where there are some."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management.commands import flush
from django.db.backends.postgresql.base import DatabaseOperations as PostgresOperations
from django.db.backends.sqlite3.base import DatabaseOperations as SqliteOperations

from audit import guards

Path(settings.STATIC_ROOT).mkdir(parents=True, exist_ok=True)  # At once: other conftests import the served application.


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if not settings.EMBEDDED and settings.REDIS_URL:
        return
    absent = pytest.mark.skip(reason="needs PostgreSQL and Redis: set DATABASE_URL and REDIS_URL")
    for item in items:
        if item.get_closest_marker("postgres"):
            item.add_marker(absent)


# -- emptying the database after a test that commits -----------------------------------------------------------------------

SAME_FOR_EVERY_TEST = {"django_content_type", "auth_permission"}  # What Django would only store again, row by row.
_sqlite_flush = SqliteOperations.sql_flush


def _flush_sqlite(self: SqliteOperations, style: Any, tables: Iterable[str], **how: Any) -> list[str]:
    changing = [each for each in tables if each not in SAME_FOR_EVERY_TEST]
    unguarded = [f"DROP TRIGGER IF EXISTS {name}" for name in sorted(guards.NAMES)]
    return [*unguarded, *_sqlite_flush(self, style, changing, **how), *guards.statements("sqlite")]


def _flush_postgres(_self: PostgresOperations, _style: Any, tables: Iterable[str], **_how: Any) -> list[str]:
    """One statement. TRUNCATE writes new files for every table and index, each synchronized; most tables hold nothing, or a few
    rows. Foreign keys are deferred, so the order does not matter."""
    names = ", ".join(f"'{each}'" for each in sorted(set(tables) - SAME_FOR_EVERY_TEST))
    return [
        f"""DO $$
        DECLARE name text;
        BEGIN
            PERFORM set_config('session_replication_role', 'replica', true); -- The audit trail's guards look away.
            FOREACH name IN ARRAY ARRAY[{names}] LOOP
                IF pg_relation_size(name::regclass) > 100000 THEN EXECUTE format('TRUNCATE %I CASCADE', name); END IF;
            END LOOP;
            FOREACH name IN ARRAY ARRAY[{names}] LOOP EXECUTE format('DELETE FROM %I', name); END LOOP;
        END $$"""  # noqa: S608  Names of tables.
    ]


# The signal after it only makes the rows of those two tables again.
flush.emit_post_migrate_signal = lambda *_about, **_how: None
SqliteOperations.sql_flush = _flush_sqlite
PostgresOperations.sql_flush = _flush_postgres
