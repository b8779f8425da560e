"""Triggers by which the database itself refuses to change the audit trail, whoever asks.

An event's content never changes. Its number and hashes are set once. It is deleted only when its chain says that its time is
over (`pruned_sequence`), which cannot be taken back and is itself an event of the chain. A chain's numbers only rise.

A migration that alters these tables on SQLite makes them anew, without triggers: it must end with `install`.
"""

from __future__ import annotations

from typing import Any, Final

from django.db import connection

CONTENT: Final = (
    "id", "created_at", "organization_id", "chain", "event_type", "action", "outcome", "severity", "kind", "user_id",
    "session_id", "resource_type", "resource_id", "address", "user_agent", "request_id", "path", "occurred_at", "details",
)  # fmt: skip
SEAL: Final = ("sequence", "previous_hash", "hash")

_RULES: Final = {
    # name: (table, what, when it is refused)
    "audit_events_content": ("audit_events", f"UPDATE OF {', '.join(CONTENT)}", "TRUE"),
    "audit_events_seal": ("audit_events", f"UPDATE OF {', '.join(SEAL)}", "OLD.sequence IS NOT NULL OR NEW.sequence IS NULL"),
    "audit_events_keep": (
        "audit_events",
        "DELETE",
        "OLD.sequence IS NULL "
        "OR OLD.sequence > COALESCE((SELECT pruned_sequence FROM audit_chains WHERE id = OLD.chain), 0)",
    ),
    "audit_chains_rise": (
        "audit_chains",
        "UPDATE",
        "NEW.last_sequence < OLD.last_sequence OR NEW.pruned_sequence < OLD.pruned_sequence "
        "OR NEW.pruned_sequence > NEW.last_sequence OR NEW.id <> OLD.id",
    ),
    "audit_chains_keep": ("audit_chains", "DELETE", "TRUE"),
}  # fmt: skip
NAMES: Final = frozenset(_RULES)


def install(_apps: Any = None, schema_editor: Any = None) -> None:
    """Make the triggers, new ones in place of those there are. Also a migration's operation."""
    with (schema_editor.connection if schema_editor else connection).cursor() as cursor:
        for statement in statements(cursor.db.vendor):
            cursor.execute(statement)


def remove(_apps: Any = None, schema_editor: Any = None) -> None:
    """For undoing the migration, and for tests that empty every table."""
    with (schema_editor.connection if schema_editor else connection).cursor() as cursor:
        for name, (table, _what, _when) in _RULES.items():
            cursor.execute(f"DROP TRIGGER IF EXISTS {name}{f' ON {table}' if cursor.db.vendor == 'postgresql' else ''}")


def statements(vendor: str) -> list[str]:
    """What `install` runs."""
    return [each for name in _RULES for each in (_postgres(name) if vendor == "postgresql" else _sqlite(name))]


def missing() -> list[str]:
    """The names of triggers that are not there, are switched off, or do something else than ours."""
    found = _in_postgres() if connection.vendor == "postgresql" else _in_sqlite()
    return sorted(NAMES - found)


def _in_sqlite() -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
        return {name for name, written in cursor.fetchall() if name in NAMES and written == _sqlite(name)[-1]}


def _in_postgres() -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT t.tgname, c.relname, p.prosrc, pg_get_triggerdef(t.oid) FROM pg_trigger t "
            "JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_proc p ON p.oid = t.tgfoid "
            "WHERE NOT t.tgisinternal AND t.tgenabled IN ('O', 'A')"
        )
        return {name for name, *about in cursor.fetchall() if name in NAMES and _is_ours(name, *about)}


def _is_ours(name: str, table: str, body: str, written: str) -> bool:
    ours, what, _when = _RULES[name]
    return table == ours and body == _body(name) and f" BEFORE {what} ON " in written and " WHEN (" not in written


def _sqlite(name: str) -> list[str]:
    table, what, when = _RULES[name]
    return [
        f"DROP TRIGGER IF EXISTS {name}",
        f"CREATE TRIGGER {name} BEFORE {what} ON {table} FOR EACH ROW WHEN {when} "
        f"BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only ({name})'); END",
    ]


def _postgres(name: str) -> list[str]:
    """The condition is in the function: a WHEN of PostgreSQL's takes no query."""
    table, what, _when = _RULES[name]
    return [
        f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $${_body(name)}$$",
        f"DROP TRIGGER IF EXISTS {name} ON {table}",
        f"CREATE TRIGGER {name} BEFORE {what} ON {table} FOR EACH ROW EXECUTE FUNCTION {name}()",
    ]


def _body(name: str) -> str:
    _table, _what, when = _RULES[name]
    return f"""
        BEGIN
            IF {when} THEN
                RAISE EXCEPTION 'the audit trail is append-only ({name})' USING ERRCODE = 'integrity_constraint_violation';
            END IF;
            IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
            RETURN NEW;
        END """
