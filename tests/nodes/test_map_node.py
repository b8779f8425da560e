"""`map` over lists and stored files, as far as nothing outside has to happen for it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from engine.expressions import ExpressionError
from engine.house_ports import StoredFile
from engine.node import Done, Failed
from engine.ports import TimedOut
from engine.testing import FakeStep, MemoryFiles, ScriptedRuns, memory_ports, problems_of, resume_node, run_node
from engine.waiting import Wait, Wake


def body(kind: str, **config: Any) -> dict[str, Any]:
    return {"nodes": [{"id": "x", "type": kind, "config": config}], "edges": []}


PRICED = body("data-transformation", set={"id": "{{ item.id }}", "price": "{{ item.price * 2.0 }}"})
CALLING = body("api-integration", url="https://example.com")


def lines(items: Iterable[Any]) -> bytes:
    return b"".join(json.dumps(each).encode() + b"\n" for each in items)


ITEMS = [{"id": n, "price": n + 0.5} for n in range(6)]
AS_LINES = StoredFile("f", "rows.ndjson", "application/x-ndjson", lines(ITEMS))


def mapped(content: bytes = AS_LINES.content, **config: Any) -> tuple[Any, MemoryFiles]:
    ports = memory_ports(files=[replace(AS_LINES, content=content)])
    outcome = run_node("map", {"items": "f", "workflow": PRICED, **config}, FakeStep(ports=ports))
    assert isinstance(ports.files, MemoryFiles)
    return outcome, ports.files


@pytest.mark.parametrize(
    "given", ["f", {"artefact": "f", "items": ITEMS[:1], "truncated": True}, {"file": "f", "results": []}]
)
def test_a_stored_file_is_named_by_its_id_or_by_what_made_it(given: Any) -> None:
    outcome, _ = mapped(items=given, where="item.id >= 4")
    assert outcome == Done(
        {
            "results": [{"id": 4, "price": 9.0}, {"id": 5, "price": 11.0}],
            "errors": [],
            "count": 2,
            "file": None,
            "truncated": False,
        }
    )


def test_what_was_read_whole_is_gone_through_without_its_file() -> None:
    outcome, _ = mapped(items={"items": ITEMS[:1], "artefact": None, "truncated": False})
    assert outcome.output["results"] == [{"id": 0, "price": 1.0}]


@pytest.mark.parametrize(
    "content",
    [
        json.dumps(ITEMS).encode(),
        b"\xef\xbb\xbf" + json.dumps(ITEMS, indent=2).encode(),
        b"\xef\xbb\xbf" + AS_LINES.content.replace(b"\n", b"\r\n\r\n"),
        AS_LINES.content.rstrip(),
    ],
)
def test_a_file_is_lines_of_json_or_one_list(content: bytes) -> None:
    outcome, _ = mapped(content)
    assert outcome.output["results"] == [{"id": n, "price": 2 * (n + 0.5)} for n in range(6)]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b'{"id": 1, "price": 1.0}\nid,price\n', "items: The item 1 is not JSON"),
        (b'[{"id": 1, "price": 1.0} 2]', "items: The JSON array is not valid after element 1"),
        (b'"' + b"x" * (5 * 1024 * 1024) + b'"', "items: The item 0 has more than 4 MiB."),
    ],
)
def test_a_file_of_something_else_is_told(content: bytes, told: str) -> None:
    outcome, files = mapped(content)
    assert isinstance(outcome, Failed)
    assert (outcome.code, outcome.message[: len(told)]) == ("rejected", told)
    assert list(files.files) == ["f"]


def test_many_results_go_to_a_file_and_the_first_stay_at_hand() -> None:
    text = "x" * 1000
    outcome, files = mapped(
        lines({"id": n, "text": text} for n in range(5000)),
        workflow=body("data-transformation", set={"id": "{{ item.id }}", "text": "{{ item.text }}"}),
    )
    output = outcome.output
    assert (output["count"], output["truncated"], output["file"]) == (5000, True, "file-1")
    assert 2500 < len(output["results"]) < 3200
    assert len(json.dumps(output, separators=(",", ":"))) < 4 * 1024 * 1024
    kept = [json.loads(line) for line in files.files["file-1"].content.splitlines()]
    assert kept == [{"id": n, "text": text} for n in range(5000)]
    assert output["results"] == kept[: len(output["results"])]
    assert files.keys == {"execution/node/0/results": "file-1"}


def test_totals_are_over_results_and_items() -> None:
    totals = {
        "all": {"fn": "count"},
        "dear": {"fn": "count", "of": "item.price > 3.0"},
        "paid": {"fn": "sum", "of": "result.price"},
        "ids": {"fn": "sum", "of": "item.id"},
        "mean": {"fn": "avg", "of": "item.price"},
        "low": {"fn": "min", "of": "item.price"},
        "last": {"fn": "max", "of": "index"},
    }
    outcome, _ = mapped(totals=totals)
    assert outcome.output["totals"] == {
        "all": 6, "dear": 3, "paid": 36.0, "ids": 15, "mean": 3.0, "low": 0.5, "last": 5,
    }  # fmt: skip


def test_figures_of_nothing_and_sums_without_loss() -> None:
    totals = {name: {"fn": name, "of": "item"} for name in ("count", "sum", "min", "max", "avg")}
    plain = body("data-transformation", set={"a": 1})
    none, _ = mapped(b"", workflow=plain, totals=totals)
    assert none.output["totals"] == {"count": 0, "sum": 0, "min": None, "max": None, "avg": None}
    tenths, _ = mapped(b"0.1\nnull\n" * 10, workflow=plain, totals=totals)
    assert tenths.output["totals"] == {"count": 10, "sum": 1.0, "min": 0.1, "max": 0.1, "avg": 0.1}


def test_a_figure_of_text_is_told() -> None:
    with pytest.raises(ExpressionError, match=r"totals\.a: 'x' is no number"):
        mapped(b'"x"\n', workflow=body("data-transformation", set={"a": 1}), totals={"a": {"fn": "sum", "of": "item"}})
    assert problems_of("map", {"items": [], "workflow": PRICED, "totals": {"a": {"fn": "sum"}}}) == [
        ("totals.a.of", "sum needs a value to work on, such as item.price.")
    ]


def test_a_step_ends_with_its_time() -> None:
    ports = memory_ports(files=[AS_LINES])
    with pytest.raises(TimedOut, match="0 seconds were over at the item 0"):
        run_node("map", {"items": "f", "workflow": PRICED}, FakeStep(ports=ports, timeout=0.0))


@pytest.mark.parametrize(("mode", "errors"), [("skip", []), ("collect", [1])])
def test_an_item_that_fails_is_left_out_of_figures_too(mode: str, errors: list[int]) -> None:
    content = lines([{"id": 0, "price": 1.0}, {"id": 1}, {"id": 2, "price": 2.0}])
    outcome, _ = mapped(content, on_item_error=mode, totals={"n": {"fn": "count"}})
    assert [each["id"] for each in outcome.output["results"]] == [0, 2]
    assert [each["index"] for each in outcome.output["errors"]] == errors
    assert (outcome.output["count"], outcome.output["totals"]) == (3, {"n": 2})


def woken(wait: Wait) -> Wake:
    """What the step remembered, as it comes back from the database."""
    return Wake(expired=False, answers=(), state=json.loads(json.dumps(dict(wait.state))), waited=1.0, left=None)


@pytest.mark.parametrize("as_list", [False, True])
def test_runs_are_begun_with_items_from_where_the_step_left_off(as_list: bool) -> None:
    content = json.dumps(ITEMS).encode() if as_list else AS_LINES.content
    ports = memory_ports(files=[replace(AS_LINES, content=content)])
    runs = ports.runs
    assert isinstance(runs, ScriptedRuns)
    step = FakeStep(ports=ports)
    config = {
        "items": "f", "workflow": CALLING, "where": "item.id != 1", "batch_size": 2, "concurrency": 1,
        "totals": {"n": {"fn": "sum", "of": "result.n"}},
    }  # fmt: skip
    outcome = run_node("map", config, step)
    seen: list[Any] = []
    while isinstance(outcome, Wait):
        assert len(json.dumps(dict(outcome.state))) < 200
        runs.end(len(runs.started) - 1, {"n": len(runs.started)})
        seen.append(outcome.state["begun"])
        outcome = resume_node("map", config, woken(outcome), step)
    given = [[each["id"] for each in run.inputs["item"]] for run in runs.started.values()]
    assert given == [[0, 2], [3, 4], [5]]
    assert [run.inputs["index"] for run in runs.started.values()] == [0, 3, 5]
    assert seen == [1, 2, 3]
    results = [{"n": 1}, {"n": 2}, {"n": 3}]
    told = {"results": results, "errors": [], "count": 5, "file": None, "truncated": False, "totals": {"n": 6}}
    assert outcome == Done(told)


def test_more_runs_than_a_step_may_start_are_refused_before_the_first() -> None:
    ports = memory_ports(files=[replace(AS_LINES, content=b"1\n" * 10_001)])
    outcome = run_node("map", {"items": "f", "workflow": CALLING}, FakeStep(ports=ports))
    assert isinstance(outcome, Failed)
    assert outcome.message.startswith("One step may start 10,000 runs, and there are more than 10,000 items")
    assert ports.runs.started == {}  # type: ignore[attr-defined]


def test_what_is_no_list_and_no_file_is_told() -> None:
    outcome, _ = mapped(items=5)
    assert outcome == Failed("config", "items must be a list or name a stored file, and is int.")


@pytest.mark.parametrize("kind", ["map", "sub-workflow"])
def test_a_workflow_is_named_by_an_id_or_filled_in_later(kind: str) -> None:
    given = {"items": []} if kind == "map" else {}
    assert problems_of(kind, {**given, "workflow_id": "leads"}) == [
        ("workflow_id", "'leads' is not the id of a workflow.")
    ]
    assert problems_of(kind, {**given, "workflow_id": "{{ inputs.workflow }}"}) == []
