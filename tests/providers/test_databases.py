"""Customers' databases, really asked: what comes back, what the servers refuse, and that time and size have an end."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import connection

from engine.ports import Query, Rejected, Rows, TimedOut, Unavailable
from integrations.rows import MAX_BYTES
from tests.providers.database_servers import PASSWORD, Server, mariadb_server, postgres_server, sqlite_file
from tests.providers.sql_corpus import HARMLESS, MYSQL, POSTGRES, SQLITE

pytestmark = [pytest.mark.usefixtures("permitted"), pytest.mark.django_db]

CORPUS = {"postgres": POSTGRES, "mysql": MYSQL, "sqlite": SQLITE}
LIMIT = 0.5  # seconds one statement may take here
COUNT = "SELECT count(*) AS n, sum(price) AS total FROM cars"
EVERY = [pytest.param("postgres", marks=pytest.mark.postgres), "mysql", "sqlite"]


@pytest.fixture
def permitted(settings: Any, tmp_path: Path) -> None:
    settings.EGRESS_ALLOW = ["127.0.0.1", "::1", "localhost"]
    settings.SQLITE_DIR = str(tmp_path)


@pytest.fixture(scope="module")
def postgres() -> Iterator[Server]:
    yield from postgres_server()


@pytest.fixture(scope="module")
def mariadb() -> Iterator[Server]:
    yield from mariadb_server()


@pytest.fixture
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Server:
    if request.param == "sqlite":
        return sqlite_file(tmp_path)
    found: Server = request.getfixturevalue({"postgres": "postgres", "mysql": "mariadb"}[request.param])
    return found


every_server = pytest.mark.parametrize("server", EVERY, indirect=True)


def ask(server: Server, sql: str, parameters: Any = (), credentials: Any = None, **more: Any) -> Rows:
    about = {name: more.pop(name) for name in ("max_rows", "write") if name in more}
    timeout = more.pop("timeout", 10.0)
    found: Rows = server.port(credentials, **more).query(Query(sql, parameters, **about), timeout=timeout)
    return found


def state(server: Server) -> Any:
    return ask(server, "SELECT id, name, price FROM cars ORDER BY id").rows


@every_server
def test_rows_come_as_json(server: Server) -> None:
    found = ask(server, "SELECT id, name, price FROM cars WHERE id < :most ORDER BY id", {"most": 3})
    exact = (lambda text: text) if server.type != "sqlite" else float
    assert found == Rows(
        [
            {"id": 1, "name": "Civic", "price": exact("19999.90")},
            {"id": 2, "name": "CR-V", "price": exact("30500.00")},
        ]
    )


@every_server
def test_values_never_become_sql(server: Server) -> None:
    nasty = "x' OR 1=1; DELETE FROM cars; -- \\' \" % ${} é 😀"
    assert ask(server, "SELECT name FROM cars WHERE name = :n", {"n": nasty}).rows == []
    text = {"postgres": "CAST(? AS text)", "mysql": "?", "sqlite": "?"}[server.type]
    assert ask(server, f"SELECT {text} AS back", [nasty]).rows == [{"back": nasty}]
    assert len(state(server)) == 3


@every_server
def test_only_so_many_rows_come_and_it_says_so(server: Server) -> None:
    found = ask(server, "SELECT id FROM cars ORDER BY id", max_rows=2)
    assert (len(found.rows), found.truncated) == (2, True)
    assert ask(server, "SELECT id FROM cars", max_rows=3).truncated is False
    assert ask(server, "SELECT id FROM cars", max_rows=1000, timeout=5).truncated is False
    assert len(server.port(max_rows=1).query(Query("SELECT id FROM cars"), timeout=5).rows) == 1


@every_server
def test_only_so_many_bytes_come(server: Server) -> None:
    wide = {"postgres": "repeat('x', 1000000)", "mysql": "repeat('x', 1000000)", "sqlite": "hex(zeroblob(500000))"}[
        server.type
    ]
    found = ask(server, f"SELECT {wide} AS wide FROM cars a, cars b")  # noqa: S608  Two texts of this test.
    assert (len(found.rows), found.truncated) == (MAX_BYTES // 1_000_000, True)


@pytest.mark.parametrize("server", EVERY[:2], indirect=True)
def test_one_enormous_row_is_cut_off_on_its_way(server: Server) -> None:
    """A row can only be read whole, so what arrives is counted; 300 MB, which the tests' memory would show."""
    wide = ", ".join(f"repeat('x', 10000000) AS c{number}" for number in range(30))
    with pytest.raises(Rejected, match="larger than 64 MiB"):
        ask(server, f"SELECT {wide}", statement_timeout_ms=60_000, timeout=60.0)


@every_server
def test_two_columns_of_one_name_are_told(server: Server) -> None:
    with pytest.raises(Rejected, match="Two columns are called id"):
        ask(server, "SELECT a.id, b.id FROM cars a, cars b")


@every_server
@pytest.mark.parametrize("sql", HARMLESS)
def test_ordinary_questions_are_answered(server: Server, sql: str) -> None:
    plain = sql.replace('"', "`") if server.type == "mysql" else sql
    assert len(ask(server, plain).rows) >= 1 or "WHERE name IN" in sql


@every_server
@pytest.mark.parametrize("who", ["reader", "mighty"])
def test_the_hostile_corpus_changes_nothing_and_ends_in_time(server: Server, who: str) -> None:
    """Also with a login that might do everything: then only our own fence and the read-only transaction stand."""
    before, quoted = state(server), False
    for sql in CORPUS[server.type]:
        started = time.monotonic()
        try:
            found = ask(server, sql, credentials=getattr(server, who), statement_timeout_ms=int(LIMIT * 1000))
        except (Rejected, TimedOut, Unavailable) as failure:
            quoted |= PASSWORD in failure.message
        else:
            assert sql in (
                *SQLITE[27:29],
                "SELECT '\\'; DELETE FROM cars; --'",
                "SELECT '\\'; DELETE FROM cars; -- '",
            ), sql
            assert len(found.rows) == 1
        assert time.monotonic() - started < LIMIT + 2.5, sql
    assert not quoted
    assert state(server) == before
    assert len(before) == 3


@every_server
def test_changing_needs_the_connections_consent(server: Server) -> None:
    change = "UPDATE cars SET price = price + 1 WHERE id = :id"
    with pytest.raises(Rejected, match="only permits reading"):
        ask(server, change, {"id": 1}, server.mighty, write=True)
    with pytest.raises(Rejected, match="Set mode to write"):
        ask(server, change, {"id": 1}, server.mighty, allow_write=True)
    before = state(server)
    done = ask(server, change, {"id": 1}, server.mighty, write=True, allow_write=True)
    assert (done.rows, done.affected) in (((), 1), ([], 1))
    after = state(server)
    assert float(after[0]["price"]) == float(before[0]["price"]) + 1
    ask(server, "UPDATE cars SET price = price - 1 WHERE id = 1", (), server.mighty, write=True, allow_write=True)


@pytest.mark.parametrize("server", EVERY[:2], indirect=True)
def test_a_function_that_changes_rows_is_kept_where_the_step_may_write(server: Server) -> None:
    call = "SELECT wipe() AS x" if server.type == "postgres" else "SELECT wipe_all() AS x"
    before = state(server)
    with pytest.raises(Rejected):
        ask(server, call, (), server.mighty)
    assert state(server) == before
    done = ask(server, call, (), server.mighty, write=True, allow_write=True)
    assert (len(done.rows), done.affected) == (1, None)
    assert state(server) == []
    for row in before:
        back = "INSERT INTO cars (id, name, price) VALUES (:id, :name, :price)"
        ask(server, back, row, server.mighty, write=True, allow_write=True)
    assert state(server) == before


@every_server
def test_who_may_only_read_is_refused_by_the_server(server: Server) -> None:
    if server.type == "sqlite":
        pytest.skip("a file has no users")
    with pytest.raises(Rejected, match="refused"):
        ask(server, "DELETE FROM cars", write=True, allow_write=True)
    with pytest.raises(Rejected, match="refused"):
        ask(server, "SELECT * FROM mysql.user" if server.type == "mysql" else "SELECT * FROM pg_authid")


@every_server
def test_mistakes_are_told_in_the_servers_words(server: Server) -> None:
    with pytest.raises(Rejected) as refused:
        ask(server, "SELECT nonsense FROM cars")
    assert "nonsense" in refused.value.message


@every_server
def test_a_connection_can_be_tried(server: Server) -> None:
    told = server.port().check(timeout=5)
    assert told.startswith("The file can be read; it has 1 tables" if server.type == "sqlite" else "Connected as ")


@pytest.mark.parametrize("server", EVERY[:2], indirect=True)
def test_a_wrong_password_is_told_without_it(server: Server) -> None:
    if server.type == "postgres" and _trusts_everybody(server):
        pytest.skip("this PostgreSQL asks nobody for a password")
    with pytest.raises(Rejected) as refused:
        ask(server, "SELECT 1", credentials={**server.reader, "password": "wrong-marker"})
    assert "wrong-marker" not in repr(refused.value) + refused.value.message


def _trusts_everybody(server: Server) -> bool:
    try:
        psycopg.connect(
            host=server.config["host"], port=server.config["port"], dbname=server.config["database"],
            user=server.reader["username"], password="wrong",
        ).close()  # fmt: skip
    except psycopg.OperationalError:
        return False
    return True


@pytest.mark.parametrize("server", EVERY[:2], indirect=True)
def test_private_addresses_need_the_operators_word(server: Server, settings: Any) -> None:
    settings.EGRESS_ALLOW = []
    for host in ("127.0.0.1", "localhost", "10.0.0.1", "169.254.169.254", "[::1]", "/var/run/postgresql", "2130706433"):
        with pytest.raises(Rejected):
            ask(server, "SELECT 1", host=host)


@pytest.mark.parametrize("server", EVERY[:2], indirect=True)
def test_a_server_that_never_answers_ends_in_time(server: Server) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        started = time.monotonic()
        with pytest.raises((Unavailable, Rejected)):
            ask(server, "SELECT 1", port=silent.getsockname()[1], timeout=1.0)
        assert time.monotonic() - started < 5


# -- our own PostgreSQL ------------------------------------------------------------------------------------------------


@pytest.mark.postgres
def test_our_own_database_is_refused_by_every_road(postgres: Server) -> None:
    ours = str(connection.settings_dict["NAME"])
    own = {"database": ours}
    for host in ("127.0.0.1", "localhost"):
        with pytest.raises(Rejected, match="platform's own database"):
            ask(postgres, "SELECT 1 AS x", credentials=postgres.mighty, host=host, **own)
    assert ask(postgres, "SELECT 1 AS x", credentials=postgres.mighty).rows == [{"x": 1}]


@pytest.mark.postgres
def test_our_own_database_is_known_behind_another_address(postgres: Server, settings: Any) -> None:
    """A forwarded port: neither host nor port is ours, the server behind it is."""
    with _Forward(postgres.config["host"], postgres.config["port"]) as port:
        settings.EGRESS_ALLOW = [f"127.0.0.1:{port}"]
        elsewhere = {"host": "127.0.0.1", "port": port, "credentials": postgres.mighty}
        with pytest.raises(Rejected, match="platform's own database"):
            ask(postgres, "SELECT 1 AS x", database=str(connection.settings_dict["NAME"]), **elsewhere)
        assert ask(postgres, "SELECT 1 AS x", **elsewhere).rows == [{"x": 1}]


@pytest.mark.postgres
def test_postgres_kinds_of_values(postgres: Server) -> None:
    sql = (
        "SELECT 1.10::numeric AS exact, 0.5::float8 AS float, 'NaN'::float8 AS nan, now() IS NOT NULL AS yes, "
        "'2026-01-02'::date AS day, '2026-01-02 03:04:05+00'::timestamptz AS moment, '90 seconds'::interval AS span, "
        "'\\x00ff'::bytea AS raw, '{\"a\": [1, null]}'::jsonb AS doc, ARRAY[1, 2] AS list, "
        "'6b1f2d9e-0000-4000-8000-000000000001'::uuid AS id, 9223372036854775807 AS large, '10.0.0.1'::inet AS net, NULL AS none"
    )
    [row] = ask(postgres, sql).rows
    moment = row.pop("moment")  # type: ignore[attr-defined]
    assert moment.startswith(("2026-01-02T", "2026-01-01T"))
    assert row == {
        "exact": "1.10", "float": 0.5, "nan": None, "yes": True, "day": "2026-01-02", "span": 90.0, "raw": "AP8=",
        "doc": {"a": [1, None]}, "list": [1, 2], "id": "6b1f2d9e-0000-4000-8000-000000000001", "large": 9223372036854775807,
        "net": "10.0.0.1", "none": None,
    }  # fmt: skip
    assert ask(postgres, "SELECT id FROM cars WHERE id = ANY(:ids) ORDER BY id", {"ids": [1, 3]}).rows == [
        {"id": 1},
        {"id": 3},
    ]


class _Forward:
    """A TCP port that leads to another one."""

    def __init__(self, host: str, port: int) -> None:
        import socket

        self._to = (host, port)
        self._door = socket.create_server(("127.0.0.1", 0))

    def __enter__(self) -> int:
        threading.Thread(target=self._serve, daemon=True).start()
        return int(self._door.getsockname()[1])

    def __exit__(self, *_: object) -> None:
        self._door.close()

    def _serve(self) -> None:
        import socket

        while True:
            try:
                near, _ = self._door.accept()
            except OSError:
                return
            far = socket.create_connection(self._to)
            for one, other in ((near, far), (far, near)):
                threading.Thread(target=self._pump, args=(one, other), daemon=True).start()

    def _pump(self, one: Any, other: Any) -> None:
        try:
            while data := one.recv(65536):
                other.sendall(data)
        except OSError:
            return
        finally:
            for each in (one, other):
                try:
                    each.shutdown(2)
                except OSError:
                    continue
