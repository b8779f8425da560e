"""CSV there and back, whatever the values hold."""

import json

from hypothesis import given
from hypothesis import strategies as st

from nodes.formats.content import detect
from nodes.formats.delimited import neutralised, parse_delimited, write_delimited
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
