"""YAML as we write and read it: JSON's kinds only, the same bytes every time, and nothing that grows or acts."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from workflows.diff import same
from workflows.yaml_text import UnreadableYaml, read_yaml, write_yaml

TRICKY = [
    "yes", "on", "089", "1e5", "0x1f", "~", "null", "2026-01-01", "<<", "=", "- a", "a: b", "# x", "x\ny", "x\n y\n", "\n\na",
    "a\n\n", "12:30", "0o17", "1_000", "!x", "&a", "*a", "|", ">", " x", "x ", "\t", "\u2028", "\x85", "é\n",
]  # fmt: skip
TEXTS = st.sampled_from(TRICKY) | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))
JSON: Any = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=500, deadline=None)
@given(JSON)
def test_what_is_written_reads_back_as_the_same_value(value: Any) -> None:
    text = write_yaml(value)
    assert same(read_yaml(text), value)
    assert same(yaml.safe_load(text), value)  # And so it does with another reader.
    assert write_yaml(read_yaml(text)) == text


def test_a_text_of_several_lines_is_a_block() -> None:
    assert (
        write_yaml({"prompt": "Dear {{ name }},\nhow are you?\n"}) == "prompt: |\n  Dear {{ name }},\n  how are you?\n"
    )


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a: &x [1]\nb: *x", "Line 1, column 4: anchors and aliases (& and *) are not read; write the value out."),
        ("<<: *x", "Line 1, column 5: anchors and aliases (& and *) are not read; write the value out."),
        ("!!python/object/apply:os.system [id]", "Line 1, column 1: tags (!) are not read."),
        ("a: !!str 1", "Line 1, column 4: tags (!) are not read."),
        ("a: 1\na: 2", "Line 2, column 1: the key 'a' is given twice."),
        ("[1]\n---\n[2]", "Line 2, column 1: only one document is read."),
        ("? [1]\n: 2", "Line 1, column 3: a key must be plain text."),
        ("a: 1.0e+999", "Line 1, column 4: this number is too large; quote it if it is a text."),
        (f"a: {'9' * 41}", "Line 1, column 4: this number is too large; quote it if it is a text."),
    ],
)
def test_what_says_more_than_json_is_refused_with_its_place(text: str, why: str) -> None:
    with pytest.raises(UnreadableYaml) as refused:
        read_yaml(text)
    assert str(refused.value) == why


@pytest.mark.parametrize(
    "text", ["[" * 100, "[" * 100_000, "a: \t- b: ]", "a: 18446744073709551616", 'a: "\\ud800"', "{"]
)
def test_what_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(UnreadableYaml):
        read_yaml(text)


def test_a_very_large_text_is_not_looked_at() -> None:
    with pytest.raises(UnreadableYaml, match=r"5,242,880 bytes"):
        read_yaml("a" * (5 * 1024 * 1024 + 1))


def test_very_many_values_are_not_read_to_the_end() -> None:
    with pytest.raises(UnreadableYaml, match="a document may hold 1,000,000 values"):
        read_yaml("[" + "1," * 1_100_000 + "]")


def test_words_of_older_editions_stay_texts() -> None:
    assert read_yaml("on: yes\nd: 2026-01-01\nt: 12:30\nn: ~\nb: True\ne:\n") == {
        "on": "yes", "d": "2026-01-01", "t": "12:30", "n": None, "b": True, "e": None,
    }  # fmt: skip
