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
    """The names of triggers that are not there, or are switched off."""
    if connection.vendor == "postgresql":
        query = "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND tgenabled IN ('O', 'A')"
    else:
        query = "SELECT name FROM sqlite_master WHERE type = 'trigger'"
    with connection.cursor() as cursor:
        cursor.execute(query)
        return sorted(NAMES - {name for (name,) in cursor.fetchall()})


def _sqlite(name: str) -> list[str]:
    table, what, when = _RULES[name]
    return [
        f"DROP TRIGGER IF EXISTS {name}",
        f"CREATE TRIGGER {name} BEFORE {what} ON {table} FOR EACH ROW WHEN {when} "
        f"BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only ({name})'); END",
    ]


def _postgres(name: str) -> list[str]:
    """The condition is in the function: a WHEN of PostgreSQL's takes no query."""
    table, what, when = _RULES[name]
    return [
        f"""CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF {when} THEN
                RAISE EXCEPTION 'the audit trail is append-only ({name})' USING ERRCODE = 'integrity_constraint_violation';
            END IF;
            IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
            RETURN NEW;
        END $$""",
        f"DROP TRIGGER IF EXISTS {name} ON {table}",
        f"CREATE TRIGGER {name} BEFORE {what} ON {table} FOR EACH ROW EXECUTE FUNCTION {name}()",
    ]
