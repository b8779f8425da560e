"""Customers' PostgreSQL: one statement a connection, by the extended protocol, in a read-only transaction with time limits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import errors, sql
from psycopg.types.json import Json
from pydantic import Field

from engine.ports import PortFailure, Query, Rejected, Rows, TimedOut, Unavailable, Unknown
from integrations import egress
from integrations.connection_types import connection_type
from integrations.databases import MAX_WIRE_BYTES, DatabaseLogin, DatabaseSettings, check_consent, limited
from integrations.egress import Deadline
from integrations.own_database import IDENTITY, SYSTEM, Identity, refuse_own_address, refuse_own_server
from integrations.rows import gather
from integrations.watch import Watch, cut_descriptor, received_bytes, watched

if TYPE_CHECKING:
    from integrations.statement import Statement

PORTS = frozenset({5432, 5433, 6432})
BATCH = 50  # rows fetched at a time, so that a byte limit is seen early
_AGAIN = ("08", "40", "53", "55P03", "57P")  # Lost, rolled back by conflict, out of resources, locked, shutting down.


class Config(DatabaseSettings):
    port: int = Field(default=5432, ge=1, le=65535)
    search_path: str = Field(
        default="",
        alias="schema",
        max_length=63,
        pattern=r"^\w*$",
        description="Where tables without a schema are looked for.",
    )


@connection_type(
    "postgres",
    kind="database",
    title="PostgreSQL",
    config=Config,
    credentials=DatabaseLogin,
    bound=("host", "port", "sslmode"),
)
class Postgres:
    """`DatabasePort`. A fresh connection a query, so that nothing of one reaches the next."""

    def __init__(self, config: Config, credentials: DatabaseLogin, network: egress.Network = egress.SYSTEM) -> None:
        self._config = config
        self._login = credentials
        self._network = network

    def check(self, *, timeout: float) -> str:
        """Connects and selects in a read-only transaction."""
        [row] = self.query(Query("SELECT current_user AS who, version() AS what"), timeout=timeout).rows
        return f"Connected as {row['who']}: {str(row['what']).split(' on ')[0]}."

    def query(self, query: Query, *, timeout: float) -> Rows:
        """Raises Rejected (refused here or there), TimedOut, Unavailable, or Unknown when a commit's answer was lost."""
        check_consent(query, allow_write=self._config.allow_write)
        from integrations.statement import read_statement  # The parser takes long to load, and few processes need it.

        statement = read_statement(query.sql, "postgres", query.parameters, write=query.write)
        deadline = limited(query, statement_timeout_ms=self._config.statement_timeout_ms, timeout=timeout)
        rows = min(query.max_rows, self._config.max_rows)
        with self._session(deadline, write=query.write) as (session, watch):
            if query.write:  # A SELECT too: it may call a function that changes rows.
                return self._write(session, statement, rows, watch)
            return self._read(session, statement, rows)

    def _read(self, session: psycopg.Connection[Any], statement: Statement, max_rows: int) -> Rows:
        """By a server-side cursor, which itself takes nothing but a query."""
        with psycopg.RawServerCursor(session, "auterity") as cursor:
            cursor.execute(_text(statement), [_value(each) for each in statement.values])
            return gather(_columns(cursor), _fetched(cursor), max_rows=max_rows)

    def _write(self, session: psycopg.Connection[Any], statement: Statement, max_rows: int, watch: Watch) -> Rows:
        with psycopg.RawCursor(session) as cursor:
            cursor.execute(_text(statement), [_value(each) for each in statement.values])
            back = gather(_columns(cursor), cursor, max_rows=max_rows) if cursor.description else Rows(())
            affected = max(0, cursor.rowcount) if statement.writes else None
        if watch.late.is_set():
            raise TimedOut("The statement took too long and was rolled back.")
        try:
            session.commit()
        except psycopg.OperationalError:
            raise Unknown("The database was lost while it committed; the change may have been made.") from None
        return Rows(back.rows, back.truncated, affected)

    @contextmanager
    def _session(self, deadline: Deadline, *, write: bool) -> Iterator[tuple[psycopg.Connection[Any], Watch]]:
        session = self._connect(deadline, write=write)
        try:
            number = session.fileno()
            with watched(
                deadline,
                cancel=lambda: session.cancel_safe(timeout=0.5),
                cut=lambda: cut_descriptor(number),
                received=lambda: received_bytes(number),
                max_bytes=MAX_WIRE_BYTES,
            ) as watch:
                try:
                    self._refuse_own(session)
                    yield session, watch
                except psycopg.Error as error:
                    if watch.large.is_set():
                        raise Rejected(
                            f"The answer is larger than {MAX_WIRE_BYTES // 2**20} MiB; select less."
                        ) from None
                    raise self._failure(error, late=watch.late.is_set()) from None
        finally:
            session.close()

    def _connect(self, deadline: Deadline, *, write: bool) -> psycopg.Connection[Any]:
        """To an address that the guard judged; the name is only for the certificate."""
        place = self._config
        addresses = egress.resolve(place.host, place.port, deadline, ports=PORTS, network=self._network)
        failure: PortFailure = Unavailable(f"No connection to {place.host}:{place.port}.")
        for address in addresses:
            refuse_own_address(address, place.port, place.database)
            if deadline.left() <= 0:
                raise TimedOut(f"No connection to {place.host}:{place.port} in time.")
            try:
                return psycopg.connect(**self._dsn(str(address), deadline, write=write))
            except psycopg.OperationalError as error:
                failure = self._failure(error, late=deadline.left() <= 0)
                if isinstance(failure, Rejected):
                    raise failure from None
        raise failure

    def _dsn(self, address: str, deadline: Deadline, *, write: bool) -> dict[str, Any]:
        milliseconds = max(1, int(deadline.left() * 1000))
        options = {
            "statement_timeout": milliseconds,
            "lock_timeout": milliseconds,
            "idle_in_transaction_session_timeout": milliseconds + 5000,
            "default_transaction_read_only": "off" if write else "on",
            "standard_conforming_strings": "on",
            "row_security": "on",
        }
        if self._config.search_path:
            options["search_path"] = self._config.search_path
        return {
            "host": self._config.host,
            "hostaddr": address,
            "port": self._config.port,
            "dbname": self._config.database,
            "user": self._login.username,
            "password": self._login.password.get_secret_value(),
            "sslmode": self._config.sslmode,
            "sslrootcert": "system" if self._config.sslmode == "verify-full" else "",
            "sslcertmode": "disable",  # This machine's own certificates, password file and tickets are not the customer's.
            "passfile": "/dev/null",
            "gssencmode": "disable",
            "connect_timeout": max(2, int(min(egress.CONNECT_SECONDS, deadline.left()))),
            "application_name": "auterity",
            "options": " ".join(f"-c {name}={value}" for name, value in options.items()),
            "prepare_threshold": None,
        }

    def _refuse_own(self, session: psycopg.Connection[Any]) -> None:
        with session.cursor() as cursor:
            oid, started = cursor.execute(IDENTITY).fetchone() or ("", "")
            cursor.execute("SELECT has_function_privilege('pg_control_system()', 'execute')")
            told = cursor.fetchone() == (True,) and cursor.execute(SYSTEM).fetchone()
        refuse_own_server(Identity(str(oid), str(started), str(told[0]) if told else ""))
        session.rollback()

    def _failure(self, error: psycopg.Error, *, late: bool) -> PortFailure:
        """What a driver's error means. Its own sentence is passed on, without the statement it quotes."""
        code = error.sqlstate or ""
        place = f"{self._config.host}:{self._config.port}"
        if late or isinstance(error, (errors.QueryCanceled, psycopg.errors.ConnectionTimeout)):
            return TimedOut(f"{place} did not finish the statement in time; it was rolled back.")
        if isinstance(error, errors.ReadOnlySqlTransaction):
            return Rejected("The statement tried to change data in a read-only transaction.", sqlstate=code)
        said = (error.diag.message_primary or "").strip().rstrip(".")[:300]
        if code.startswith(_AGAIN):
            return Unavailable(f"{place} did not finish the statement: {said or 'connection lost'}.", sqlstate=code)
        if code:
            return Rejected(f"{place} refused: {said}.", sqlstate=code)
        return self._unreached(error, place)

    def _unreached(self, error: psycopg.Error, place: str) -> PortFailure:
        """Before a session stands, libpq tells only in words."""
        words = str(error).lower()
        if "password authentication failed" in words or "no password" in words or "pg_hba.conf" in words:
            return Rejected(f"{place} refused the user name or password.")
        if "does not exist" in words:
            return Rejected(f"{place} knows no such database or user.")
        if "does not support ssl" in words:
            return Rejected(f"{place} offers no encryption; set sslmode to disable if the line is safe without.")
        if "certificate" in words:
            return Rejected(f"The certificate of {place} is not valid for it.")
        return Unavailable(f"No connection to {place}, or it was lost.")


def _text(statement: Statement) -> sql.SQL:
    return sql.SQL(statement.text(lambda number, _value: f"${number}"))


def _value(value: Any) -> Any:
    return Json(value) if isinstance(value, dict) else value


def _columns(cursor: Any) -> list[str]:
    return [each.name for each in cursor.description or ()]


def _fetched(cursor: Any) -> Iterator[Any]:
    while batch := cursor.fetchmany(BATCH):
        yield from batch
