"""CSV there and back, whatever the values hold."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes.formats.content import Unreadable, detect
from nodes.formats.delimited import MAX_COLUMNS, neutralised, parse_delimited, write_delimited
from nodes.formats.json_text import parse_json_lines

CELLS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=20)
NAMES = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=8)


@st.composite
def tables(draw: st.DrawFn) -> list[dict[str, str]]:
    names = draw(st.lists(NAMES, min_size=1, max_size=4, unique=True))
    rows = draw(st.lists(st.lists(CELLS, min_size=len(names), max_size=len(names)), min_size=1, max_size=5))
    return [dict(zip(names, row, strict=True)) for row in rows]


@given(tables(), st.sampled_from(",;\t|"))
def test_maps_come_back_as_they_were(rows: list[dict[str, str]], delimiter: str) -> None:
    assert parse_delimited(write_delimited(rows, delimiter), delimiter) == rows


@given(st.lists(st.lists(CELLS, min_size=1, max_size=4), min_size=1, max_size=5))
def test_lists_come_back_as_they_were(rows: list[list[str]]) -> None:
    assert parse_delimited(write_delimited(rows), header=False) == rows


@given(tables())
def test_nothing_neutralised_begins_a_formula(rows: list[dict[str, str]]) -> None:
    for row in parse_delimited(write_delimited(rows, neutralise=True), header=False):
        assert all(not cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in row)


@given(CELLS)
def test_neutralising_loses_nothing(cell: str) -> None:
    assert neutralised(cell) in (cell, f"'{cell}")


@given(
    st.lists(
        st.recursive(
            st.none() | st.booleans() | st.integers() | CELLS,
            lambda inner: st.lists(inner) | st.dictionaries(CELLS, inner),
            max_leaves=8,
        )
    )
)
def test_ndjson_comes_back_as_it_was(items: list[object]) -> None:
    assert parse_json_lines("".join(f"{json.dumps(item, ensure_ascii=False)}\n" for item in items)) == items


@given(st.text(max_size=200))
def test_detection_never_fails(text: str) -> None:
    assert detect(text) in {"pdf", "xlsx", "json", "ndjson", "xml", "tsv", "csv", "text"}


def test_names_that_repeat_differ_and_cost_no_more_than_others() -> None:
    """Looked for one after the other, the names of this header would take 134 million looks."""
    [row] = parse_delimited(f"{','.join(['a'] * MAX_COLUMNS)}\n{','.join(['1'] * MAX_COLUMNS)}")
    assert list(row)[:3] == ["a", "a_2", "a_3"]
    assert len(row) == MAX_COLUMNS
    assert list(parse_delimited("a,a_2,a,a,,\n1,2,3,4,5,6")[0]) == ["a", "a_2", "a_3", "a_4", "column_5", "column_6"]


@pytest.mark.parametrize(
    ("table", "told"),
    [
        (",".join("a" * (MAX_COLUMNS + 1)), "The table has 16,385 columns; at most 16,384 are read."),
        (",".join("a" * 16_000) + "\nx" * 100_000, "The table has more than 2,000,000 values"),
    ],
)
def test_a_table_that_grows_as_it_is_read_is_refused(table: str, told: str) -> None:
    with pytest.raises(Unreadable, match=told):
        parse_delimited(table)


@pytest.mark.parametrize(
    ("items", "told"),
    [
        ([{f"name{at}": 1} for at in range(MAX_COLUMNS + 1)], "more than 16,384 different names"),
        ([{f"name{at}": 1} for at in range(16_000)], "The table has more than 10,000,000 values"),
    ],
)
def test_a_table_that_grows_as_it_is_written_is_refused(items: list[object], told: str) -> None:
    with pytest.raises(Unreadable, match=told):
        write_delimited(items)


def test_maps_without_names_make_no_table() -> None:
    assert write_delimited([{}, {}]) == write_delimited([]) == ""
