"""What connections to customers' databases have in common: their settings, and how long one query may take."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, SecretStr

from engine.ports import Query, Rejected
from integrations.connection_types import Credentials, Settings
from integrations.egress import Deadline

MAX_WIRE_BYTES = 64 * 1024 * 1024  # what one query may send back, whatever is kept of it


class DatabaseSettings(Settings):
    """Settings of a database server."""

    host: str = Field(min_length=1, max_length=253, description="The server's name or address.")
    port: int = Field(ge=1, le=65535)
    database: str = Field(min_length=1, max_length=63, pattern=r"^[^\x00/\\]+$", description="The database's name.")
    sslmode: Literal["disable", "require", "verify-full"] = Field(
        default="require", description="Whether the line is encrypted, and the server's certificate checked."
    )
    statement_timeout_ms: int = Field(
        default=10_000, ge=100, le=300_000, description="How long one statement may take."
    )
    max_rows: int = Field(default=1000, ge=1, le=10_000, description="The most rows one query returns.")
    allow_write: bool = Field(default=False, description="Whether steps may change rows; else everything is read-only.")


class DatabaseLogin(Credentials):
    """A user with no more rights than the workflows need: the fence before it is no substitute."""

    username: str = Field(min_length=1, max_length=128)
    password: SecretStr


def limited(query: Query, *, statement_timeout_ms: int, timeout: float) -> Deadline:
    """The moment by which a query must have ended."""
    return Deadline(min(timeout, statement_timeout_ms / 1000))


def check_consent(query: Query, *, allow_write: bool) -> None:
    """Raises Rejected for a writing step over a connection that does not permit it."""
    if query.write and not allow_write:
        raise Rejected(
            "This connection only permits reading; set allow_write in its settings to change data through it."
        )
