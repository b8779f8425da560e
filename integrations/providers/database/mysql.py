"""Customers' MySQL and MariaDB: one statement a connection, in a read-only transaction with time limits.

The driver writes values into the statement itself, escaped for the session's character set and mode, which are fixed here;
it never permits a second statement and never reads a local file for the server.
"""

from __future__ import annotations

import ssl
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, NoReturn

import orjson
import pymysql
from pydantic import Field
from pymysql.connections import Connection
from pymysql.cursors import SSCursor

from engine.ports import PortFailure, Query, Rejected, Rows, TimedOut, Unavailable, Unknown
from integrations import egress
from integrations.connection_types import connection_type
from integrations.databases import MAX_WIRE_BYTES, DatabaseLogin, DatabaseSettings, check_consent, limited
from integrations.egress import Deadline
from integrations.rows import gather
from integrations.watch import Watch, cut_descriptor, watched

if TYPE_CHECKING:
    from integrations.statement import Statement

PORTS = frozenset({3306, 3307})
_MODE = "ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION"
_LATE = {1317, 1969, 3024}  # Interrupted, max_statement_time, max_execution_time.
_AGAIN = {1040, 1041, 1053, 1205, 1213, 2002, 2003, 2006, 2013, 2055}
# What the driver raises on bytes that are no MySQL: it takes them for what they should be.
_NO_MYSQL: Final = (AssertionError, AttributeError, LookupError, OSError, TypeError, ValueError, struct.error)
_LOGIN = {1044, 1045, 1049, 1130, 1698, 2054, 2059, 2061}


class Config(DatabaseSettings):
    port: int = Field(default=3306, ge=1, le=65535)


class _NoClearPassword:
    """A server that asks for the password in the clear gets none."""

    def __init__(self, connection: Any) -> None:
        del connection

    def authenticate(self, packet: Any) -> Any:
        raise pymysql.OperationalError(2061, "The server asks for the password in the clear.")


class _Session(Connection):
    """Counts what the server sends: one row may be as large as the server likes, and come as slowly."""

    received = 0
    until = Deadline(0)

    def _read_bytes(self, num_bytes: int) -> bytes:
        self.received += num_bytes
        if self.received > MAX_WIRE_BYTES:
            self.discard()
            raise Rejected(f"The answer is larger than {MAX_WIRE_BYTES // 2**20} MiB; select less.")
        held = bytearray()
        while len(held) < num_bytes:
            if (seconds := self.until.left()) <= 0:
                self._lost("time is up")
            self._sock.settimeout(seconds)  # type: ignore[attr-defined]
            try:
                piece = self._rfile.read1(num_bytes - len(held))  # type: ignore[attr-defined]
            except OSError as error:
                self._lost(str(error))
            if not piece:
                self._lost("hung up")
            held += piece
        return bytes(held)

    def _lost(self, why: str) -> NoReturn:
        self.discard()
        raise pymysql.OperationalError(2013, f"Lost connection to MySQL server ({why})")

    def discard(self) -> None:
        """Close without a word: rows that are still coming are nobody's, and the server may not answer a farewell."""
        result = getattr(self, "_result", None)
        if result is not None:
            result.unbuffered_active = False
        self._force_close()  # type: ignore[attr-defined]


@connection_type(
    "mysql",
    kind="database",
    title="MySQL or MariaDB",
    config=Config,
    credentials=DatabaseLogin,
    bound=("host", "port", "sslmode"),
)
class MySql:
    """`DatabasePort`. A fresh connection a query. The product never lives in MySQL, so its own database is not here."""

    def __init__(self, config: Config, credentials: DatabaseLogin, network: egress.Network = egress.SYSTEM) -> None:
        self._config = config
        self._login = credentials
        self._network = network

    def check(self, *, timeout: float) -> str:
        """Connects and selects in a read-only transaction."""
        [row] = self.query(Query("SELECT CURRENT_USER() AS who, VERSION() AS what"), timeout=timeout).rows
        return f"Connected as {row['who']}: {row['what']}."

    def query(self, query: Query, *, timeout: float) -> Rows:
        """Raises Rejected (refused here or there), TimedOut, Unavailable, or Unknown when a commit's answer was lost."""
        check_consent(query, allow_write=self._config.allow_write)
        from integrations.statement import read_statement  # The parser takes long to load, and few processes need it.

        statement = read_statement(query.sql, "mysql", query.parameters, write=query.write)
        deadline = limited(query, statement_timeout_ms=self._config.statement_timeout_ms, timeout=timeout)
        rows = min(query.max_rows, self._config.max_rows)
        with self._session(deadline, write=query.write) as (session, watch):
            cursor = session.cursor(SSCursor)
            cursor.execute(_text(session, statement))
            back = Rows(())
            if not statement.writes:
                back = gather([each[0] for each in cursor.description or ()], _fetched(cursor), max_rows=rows)
            if not query.write:
                return back
            affected = max(0, cursor.rowcount) if statement.writes else None
            cursor.close()
            if watch.late.is_set():
                raise TimedOut("The statement took too long and was rolled back.")
            try:
                session.commit()
            except (pymysql.OperationalError, pymysql.InterfaceError):
                raise Unknown("The database was lost while it committed; the change may have been made.") from None
            return Rows(back.rows, back.truncated, affected)

    @contextmanager
    def _session(self, deadline: Deadline, *, write: bool) -> Iterator[tuple[_Session, Watch]]:
        session = self._connect(deadline)
        number = session.thread_id()
        try:
            with watched(deadline, cancel=lambda: self._kill(number), cut=lambda: _cut(session)) as watch:
                try:
                    self._begin(session, deadline, write=write)
                    yield session, watch
                except pymysql.Error as error:
                    raise self._failure(error, late=watch.late.is_set()) from None
                except _NO_MYSQL as error:  # Also what the driver raises when its socket is cut.
                    raise (self._late() if watch.late.is_set() else self._no_mysql()) from error
        finally:
            session.discard()

    def _begin(self, session: _Session, deadline: Deadline, *, write: bool) -> None:
        seconds = max(0.001, deadline.left())
        mariadb = "mariadb" in session.get_server_info().lower()
        limit = f"max_statement_time={seconds:.3f}" if mariadb else f"max_execution_time={int(seconds * 1000)}"
        waits = max(1, int(seconds))
        with session.cursor() as cursor:
            cursor.execute(
                f"SET SESSION sql_mode='{_MODE}', {limit}, innodb_lock_wait_timeout={waits}, lock_wait_timeout={waits}"
            )
            cursor.execute("START TRANSACTION" if write else "START TRANSACTION READ ONLY")

    def _connect(self, deadline: Deadline) -> _Session:
        place = self._config
        sock = egress.connect(place.host, place.port, deadline, ports=PORTS, network=self._network)
        seconds = max(0.1, deadline.left() + 1)
        session = _Session(
            host=place.host,
            port=place.port,
            user=self._login.username,
            password=self._login.password.get_secret_value(),
            database=place.database,
            charset="utf8mb4",
            ssl=_tls(place.sslmode),
            ssl_disabled=place.sslmode == "disable",
            local_infile=False,
            read_timeout=seconds,
            write_timeout=seconds,
            connect_timeout=max(1, int(seconds)),
            auth_plugin_map={"mysql_clear_password": _NoClearPassword},
            defer_connect=True,
        )
        session.until = Deadline(seconds)
        try:
            session.connect(sock)
        except pymysql.Error as error:
            raise self._failure(error, late=deadline.left() <= 0) from None
        except _NO_MYSQL as error:
            raise (self._late() if deadline.left() <= 0 else self._no_mysql()) from error
        finally:
            if not session.open:
                sock.close()
        return session

    def _kill(self, number: int) -> None:
        """Stop the statement from a second connection; the transaction is rolled back when its own is closed."""
        session = self._connect(Deadline(0.5))
        try:
            session.kill(number)
        finally:
            session.discard()

    def _late(self) -> TimedOut:
        return TimedOut(
            f"{self._config.host}:{self._config.port} did not finish the statement in time; it was rolled back."
        )

    def _no_mysql(self) -> Unavailable:
        return Unavailable(f"{self._config.host}:{self._config.port} said something that is no MySQL.")

    def _failure(self, error: Exception, *, late: bool) -> PortFailure:
        place = f"{self._config.host}:{self._config.port}"
        code = error.args[0] if error.args and isinstance(error.args[0], int) else 0
        said = str(error.args[1] if len(error.args) > 1 else "").strip().rstrip(".")[:300]
        if late or code in _LATE:
            return self._late()
        if code in _LOGIN:
            return Rejected(f"{place} refused the user name, password or database.", code=code)
        if code in _AGAIN or isinstance(error, OSError) or not code:
            return Unavailable(f"No connection to {place}, or it was lost.", code=code)
        if code == 1792:
            return Rejected("The statement tried to change data in a read-only transaction.", code=code)
        return Rejected(f"{place} refused: {said}.", code=code)


def _text(session: _Session, statement: Statement) -> str:
    return statement.text(lambda _number, value: _literal(session, value))


def _literal(session: _Session, value: Any) -> str:
    if isinstance(value, (dict, list)):
        value = orjson.dumps(value).decode()
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        raise Rejected("A parameter is not a finite number.")
    text: str = session.escape(value, session.encoders)
    return text


def _fetched(cursor: Any) -> Iterator[Any]:
    while (row := cursor.fetchone()) is not None:
        yield row


def _tls(sslmode: str) -> ssl.SSLContext | None:
    if sslmode == "disable":
        return None
    context = ssl.create_default_context()
    if sslmode == "require":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _cut(session: _Session) -> None:
    sock = session._sock  # type: ignore[attr-defined]
    if sock is not None:
        cut_descriptor(sock.fileno())
