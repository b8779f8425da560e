import json
from typing import Any

import pytest

from engine.graph import compile_graph
from engine.house_ports import StoredFile
from engine.node import Done, Effect, Failed
from engine.testing import FakeStep, MemoryFiles, memory_ports, run_node


def write(config: dict[str, Any], value: Any = None) -> Any:
    return run_node("output-formatter", config, FakeStep(input=value))


def content(config: dict[str, Any], value: Any = None) -> str:
    outcome = write(config, value)
    assert isinstance(outcome, Done)
    return str(outcome.output["content"])


def test_json_of_what_arrives() -> None:
    outcome = write({}, {"a": "é"})
    assert json.loads(outcome.output["content"]) == {"a": "é"}
    assert outcome.output == {
        "content": '{\n  "a": "é"\n}',
        "media_type": "application/json",
        "filename": "output.json",
    }


def test_a_given_value_goes_before_what_arrives_even_null() -> None:
    assert content({"value": [1]}, "input") == "[\n  1\n]"
    assert content({"value": None}, "input") == "null"


@pytest.mark.parametrize(
    ("kind", "media_type", "filename"),
    [
        ("text", "text/plain; charset=utf-8", "output.txt"),
        ("markdown", "text/markdown; charset=utf-8", "output.md"),
        ("html", "text/html; charset=utf-8", "output.html"),
    ],
)
def test_a_template_is_the_content(kind: str, media_type: str, filename: str) -> None:
    assert write({"format": kind, "template": "# Hi"}) == Done(
        {"content": "# Hi", "media_type": media_type, "filename": filename}
    )


def test_without_a_template_the_value_is_shown() -> None:
    assert content({"format": "text", "value": {"a": 1}}) == '{"a":1}'
    assert content({"format": "html", "value": "<script>"}) == "<pre>&lt;script&gt;</pre>"


@pytest.mark.parametrize(
    ("cell", "written"),
    [
        ("=1+1", "'=1+1"), ("+1", "'+1"), ("-1", "'-1"), ("@SUM(A1)", "'@SUM(A1)"), ("\tx", "'\tx"),
        ("\rx", "\"'\rx\""), ('=A("x")', "\"'=A(\"\"x\"\")\""), (-1, "-1"), (1.5, "1.5"), ("a=1", "a=1"),
        (None, ""), (True, "true"), ([1], "[1]"),
    ],
)  # fmt: skip
def test_csv_runs_nothing_in_a_spreadsheet(cell: Any, written: str) -> None:
    assert content({"format": "csv", "value": [{"a": cell, "b": "x"}]}) == f"a,b\r\n{written},x\r\n"


def test_a_column_name_can_be_a_formula_too() -> None:
    assert content({"format": "csv", "value": [{"=cmd": 1}]}) == "'=cmd\r\n1\r\n"


def test_csv_of_lists_of_values_of_one_map_and_of_a_readers_output() -> None:
    assert content({"format": "csv", "value": [[1, "a"], [2, "b"]]}) == "1,a\r\n2,b\r\n"
    assert content({"format": "csv", "value": ["a", "b"]}) == "value\r\na\r\nb\r\n"
    assert content({"format": "csv", "value": {"a": 1}}) == "a\r\n1\r\n"
    assert content({"format": "csv"}, {"items": [{"a": 1}], "item_count": 1}) == "a\r\n1\r\n"
    assert content({"format": "csv", "value": []}) == ""


def test_csv_of_a_mixture_is_refused() -> None:
    outcome = write({"format": "csv", "value": [{"a": 1}, [1]]})
    assert isinstance(outcome, Failed)
    assert "these items mix them" in outcome.message


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("report.csv", "report.csv"),
        ("../../etc/passwd", "_.._etc_passwd"),
        ('a"\r\nSet-Cookie: x', "a_Set-Cookie_ x"),
        ("  ", "output.json"),
        ("x" * 300, "x" * 150),
    ],
)
def test_a_filename_is_only_a_name(given: str, used: str) -> None:
    assert write({"filename": given}).output["filename"] == used


def test_the_content_is_stored_where_that_is_asked_for() -> None:
    ports = memory_ports()
    config = {"format": "csv", "value": [{"a": "é"}], "filename": "../rows.csv", "as_file": True}
    outcome = run_node("output-formatter", config, FakeStep(ports=ports))
    stored = StoredFile("file-1", "_rows.csv", "text/csv; charset=utf-8", "a\r\né\r\n".encode())
    assert outcome == Done(
        {"file": "file-1", "media_type": stored.media_type, "filename": "_rows.csv", "size": len(stored.content)}
    )
    assert isinstance(ports.files, MemoryFiles)
    assert ports.files.files == {"file-1": stored}
    assert ports.files.keys == {"execution/node/0/output": "file-1"}


@pytest.mark.parametrize(
    ("kind", "config", "effect"),
    [
        ("output-formatter", {}, Effect.PURE),
        ("output-formatter", {"as_file": True}, Effect.REPEATABLE),
        ("output-formatter", {"as_file": "{{ input.keep }}"}, Effect.REPEATABLE),
        ("file-processor", {"content": "{{ input.text }}"}, Effect.PURE),
        ("file-processor", {}, Effect.PURE),
        ("file-processor", {"file": "{{ input.file }}"}, Effect.REPEATABLE),
        ("file-processor", {"operation": "{{ input.what }}"}, Effect.REPEATABLE),
        ("file-processor", {"operation": "write", "format": "csv"}, Effect.REPEATABLE),
        ("file-processor", {"options": {"content_encoding": "base64"}}, Effect.REPEATABLE),
        ("file-processor", {"options": "{{ input.options }}"}, Effect.REPEATABLE),
    ],
)
def test_what_a_step_would_do_outside_is_known_from_its_settings(
    kind: str, config: dict[str, Any], effect: Effect
) -> None:
    graph = compile_graph({"nodes": [{"id": "x", "type": kind, "config": config}], "edges": []})
    assert graph.nodes[0].effect is effect
