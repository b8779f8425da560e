from typing import Any

import pytest

from engine.node import Done, Failed
from engine.ports import Query, Rejected, Rows
from engine.registry import NODES
from engine.testing import FakeStep, ScriptedDatabase, memory_ports, problems_of, run_node

SQL = "SELECT name FROM cars WHERE id = :id"


def ask(config: dict[str, Any], rows: Rows) -> tuple[Any, list[Query]]:
    database = ScriptedDatabase([rows])
    step = FakeStep(ports=memory_ports(connections={"c1": database}))
    return run_node("database-query", {"connection_id": "c1", "sql": SQL, **config}, step), database.queries


def test_rows_are_handed_on() -> None:
    outcome, asked = ask({"parameters": {"id": 7}, "max_rows": 5}, Rows([{"name": "Civic"}], truncated=True))
    assert outcome == Done({"rows": [{"name": "Civic"}], "row_count": 1, "truncated": True})
    assert asked == [Query(SQL, {"id": 7}, 5, write=False)]


def test_a_write_says_how_many_rows_it_changed() -> None:
    outcome, asked = ask({"mode": "write", "parameters": [1]}, Rows([], affected=3))
    assert outcome.output == {"rows": [], "row_count": 0, "truncated": False, "affected": 3}
    assert (asked[0].write, asked[0].parameters) == (True, [1])


def test_after_a_crash_a_read_is_repeated_and_a_write_is_not() -> None:
    node_type = NODES.get("database-query")
    read, write = (
        node_type.config.model_validate({"connection_id": "c", "sql": SQL, "mode": mode}) for mode in ("read", "write")
    )
    assert node_type.lookup is not None
    assert node_type.lookup(read, FakeStep()) is None
    told = node_type.lookup(write, FakeStep())
    assert isinstance(told, Failed)
    assert told.code == "unknown_outcome"


@pytest.mark.parametrize(
    ("change", "fields"),
    [
        ({}, []),
        ({"sql": ""}, ["sql"]),
        ({"sql": "SELECT * FROM cars WHERE id = {{ inputs.id }}"}, ["sql"]),
        ({"connection_id": " "}, ["connection_id"]),
    ],
)
def test_mistakes_are_found_when_it_is_saved(change: dict[str, Any], fields: list[str]) -> None:
    config = {"connection_id": "c1", "sql": SQL, **change}
    assert [where for where, _ in problems_of("database-query", config)] == fields


def test_a_statement_is_never_a_template() -> None:
    assert NODES.get("database-query").config.model_json_schema()["properties"]["sql"]["x-literal"] is True


def test_an_unknown_connection_is_rejected() -> None:
    with pytest.raises(Rejected, match="There is no such connection"):
        run_node("database-query", {"connection_id": "x", "sql": SQL}, FakeStep())
