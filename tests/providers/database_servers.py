# ruff: noqa: S608  Names of databases and users that this module made up.
"""Databases for the tests of `database-query`: each with the table `cars`, a user who may only read, and one who may do anything.

PostgreSQL is the server of the services run; MariaDB is looked for on loopback, and its tests are skipped where it is absent.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pymysql
import pytest
from django.conf import settings

from integrations.connection_types import CONNECTION_TYPES
from integrations.registry import discover

CARS = [(1, "Civic", "19999.90"), (2, "CR-V", "30500.00"), (3, "Jazz", None)]
MARIADB = ("127.0.0.1", 3306, "root")
PASSWORD = "only-in-tests"


@dataclass(frozen=True)
class Server:
    """`mighty` owns everything; `reader` may select from cars. Both as (user, password)."""

    type: str
    config: dict[str, Any]
    reader: dict[str, str] = field(repr=False)
    mighty: dict[str, str] = field(repr=False)

    def port(self, credentials: dict[str, str] | None = None, **more: Any) -> Any:
        discover()
        given = self.reader if credentials is None else credentials
        return CONNECTION_TYPES.get(self.type).create({**self.config, **more}, given)


def postgres_server() -> Iterator[Server]:
    ours = settings.DATABASES["default"]
    host = ours["HOST"] if ours["HOST"] and not ours["HOST"].startswith("/") else "127.0.0.1"
    place = {
        "host": ours["HOST"] or None,
        "port": ours["PORT"] or 5432,
        "user": ours["USER"],
        "password": ours["PASSWORD"],
    }
    name, reader = f"{ours['NAME']}_customer", f"reader_{secrets.token_hex(4)}"
    mighty = f"owner_{secrets.token_hex(4)}"
    with psycopg.connect(**place, dbname="postgres", autocommit=True) as admin:
        admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        admin.execute(f'CREATE DATABASE "{name}"')
        admin.execute(f"CREATE ROLE {reader} LOGIN PASSWORD '{PASSWORD}'")
        admin.execute(f"CREATE ROLE {mighty} LOGIN SUPERUSER PASSWORD '{PASSWORD}'")
        try:
            with psycopg.connect(**place, dbname=name, autocommit=True) as database:
                database.execute("CREATE TABLE cars (id int PRIMARY KEY, name text, price numeric(10, 2))")
                database.execute("CREATE SEQUENCE cars_seq")
                database.execute(
                    "CREATE FUNCTION wipe() RETURNS int LANGUAGE sql VOLATILE AS 'DELETE FROM cars RETURNING id'"
                )
                with database.cursor() as cursor:
                    cursor.executemany("INSERT INTO cars VALUES (%s, %s, %s)", CARS)
                database.execute(f"GRANT SELECT ON cars TO {reader}")
            config = {"host": host, "port": int(place["port"]), "database": name, "sslmode": "disable"}
            yield Server(
                "postgres",
                config,
                {"username": reader, "password": PASSWORD},
                {"username": mighty, "password": PASSWORD},
            )
        finally:
            admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
            admin.execute(f"DROP ROLE {reader}")
            admin.execute(f"DROP ROLE {mighty}")


def mariadb_server() -> Iterator[Server]:
    host, port, root = MARIADB
    try:
        admin = pymysql.connect(host=host, port=port, user=root, autocommit=True)
    except pymysql.Error:
        pytest.skip(f"needs MariaDB or MySQL at {host}:{port} with the user {root} and no password")
    name = f"connect_{secrets.token_hex(4)}"
    with closing(admin), admin.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name}")
        cursor.execute(f"CREATE USER '{name}'@'%' IDENTIFIED BY '{PASSWORD}'")
        cursor.execute(f"CREATE USER '{name}_all'@'%' IDENTIFIED BY '{PASSWORD}'")
        try:
            cursor.execute(f"CREATE TABLE {name}.cars (id int PRIMARY KEY, name text, price decimal(10, 2))")
            cursor.executemany(f"INSERT INTO {name}.cars VALUES (%s, %s, %s)", CARS)
            cursor.execute(
                f"CREATE FUNCTION {name}.wipe_all() RETURNS int MODIFIES SQL DATA BEGIN DELETE FROM cars; RETURN 1; END"
            )
            cursor.execute(f"GRANT SELECT ON {name}.cars TO '{name}'@'%'")
            cursor.execute(f"GRANT ALL ON *.* TO '{name}_all'@'%'")
            config = {"host": host, "port": port, "database": name, "sslmode": "disable"}
            yield Server(
                "mysql",
                config,
                {"username": name, "password": PASSWORD},
                {"username": f"{name}_all", "password": PASSWORD},
            )
        finally:
            cursor.execute(f"DROP DATABASE {name}")
            cursor.execute(f"DROP USER '{name}'@'%'")
            cursor.execute(f"DROP USER '{name}_all'@'%'")


def sqlite_file(folder: Path) -> Server:
    with closing(sqlite3.connect(folder / "cars.db")) as made:
        made.execute("CREATE TABLE cars (id integer PRIMARY KEY, name text, price numeric)")
        made.executemany("INSERT INTO cars VALUES (?, ?, ?)", CARS)
        made.commit()
    return Server("sqlite", {"file": "cars.db"}, {}, {})
