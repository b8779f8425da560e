"""`database-query`: one SQL statement in a customer's own database (`schemas/node_configs.yaml`)."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from engine.expressions import contains_template
from engine.node import Done, Effect, Failed, Literal_, NodeConfig, Outcome, Step, node
from engine.ports import Query
from nodes.settings.checks import Problems
from nodes.settings.text import Text

MAX_ROWS = 10_000


class Config(NodeConfig):
    connection_id: Text = Field(description="The stored connection of type postgres, mysql or sqlite.")
    sql: Literal_ = Field(
        description="One statement, written out. Values come by name as :email from a map, or as ? from a list."
    )
    parameters: dict[str, Any] | list[Any] = Field(default={}, description="The values for the statement.")
    max_rows: int = Field(default=1000, ge=1, le=MAX_ROWS, description="The most rows to return.")
    mode: Literal["read", "write"] = Field(
        default="read",
        description="write changes rows, where the connection permits it; after a crash it is not repeated.",
    )


def check(config: Config) -> Problems:
    problems: Problems = []
    if not config.connection_id.strip():
        problems.append(("connection_id", "Choose the connection to the database."))
    if not config.sql.strip():
        problems.append(("sql", "Write the statement, such as SELECT name FROM customers WHERE email = :email."))
    if contains_template(config.sql):
        problems.append(("sql", "A statement is not put together from values; write :name and give parameters."))
    return problems


def lookup(config: Config, step: Step) -> Outcome | None:
    """After a crash: a read is simply done again; of a write nobody can tell."""
    return (
        None
        if config.mode == "read"
        else Failed("unknown_outcome", "A database does not tell by whom a row was changed.")
    )


def sample(config: Config) -> dict[str, Any]:
    """No row; of a write, no row changed."""
    output: dict[str, Any] = {"rows": [], "row_count": 0, "truncated": False}
    return output if config.mode == "read" else {**output, "affected": 0}


@node(
    "database-query",
    title="Query a database",
    config=Config,
    effect=Effect.UNKEYED,
    check=check,
    lookup=lookup,
    sample=sample,
    narrows=lambda config: Effect.UNKEYED if config.mode == "write" else Effect.REPEATABLE,
)
def run(config: Config, step: Step) -> Outcome:
    """Reads rows from a database, or changes them where the connection permits it."""
    query = Query(config.sql, config.parameters, config.max_rows, write=config.mode == "write")
    found = step.ports.connections.database(config.connection_id).query(query, timeout=step.timeout)
    output: dict[str, Any] = {
        "rows": [dict(each) for each in found.rows],
        "row_count": len(found.rows),
        "truncated": found.truncated,
    }
    return Done(output if found.affected is None else {**output, "affected": found.affected})
