import base64
from pathlib import Path
from typing import Any

import pytest

from engine.node import Done, Failed
from engine.testing import FakeStep, problems_of, run_node
from nodes.formats.content import MIB

DATA = Path(__file__).parent.parent / "data" / "adf"


def process(config: dict[str, Any], value: Any = None) -> Any:
    return run_node("file-processor", config, FakeStep(input=value))


def items(config: dict[str, Any]) -> Any:
    outcome = process(config)
    assert isinstance(outcome, Done), outcome
    return outcome.output["items"]


def refusal(config: dict[str, Any], value: Any = None) -> str:
    outcome = process(config, value)
    assert isinstance(outcome, Failed)
    return outcome.message


WHOLE = {"artefact": None, "truncated": False}
AUTO: dict[str, tuple[str, list[Any]]] = {
    "csv": ("a,b\n1,2\n", [{"a": "1", "b": "2"}]),
    "tsv": ("a\tb\n1\t2\n", [{"a": "1", "b": "2"}]),
    "json": ('\ufeff [{"a": 1}, 2]', [{"a": 1}, 2]),
    "ndjson": ('{"a": 1}\n\n{"a": 2}\n', [{"a": 1}, {"a": 2}]),
    "xml": ("<?xml version='1.0'?><r><x>1</x></r>", [{"r": {"x": "1"}}]),
    "text": ("Dear all,\nsee you", ["Dear all,", "see you"]),
}


@pytest.mark.parametrize("kind", AUTO)
@pytest.mark.parametrize("given", ["auto", "named"])
def test_every_format_is_read_and_found_out(kind: str, given: str) -> None:
    content, expected = AUTO[kind]
    outcome = process({"content": content, "format": "auto" if given == "auto" else kind})
    assert outcome == Done({"items": expected, "item_count": len(expected), "format": kind, "problems": [], **WHOLE})


@pytest.mark.parametrize("delimiter", [";", "|"])
def test_auto_finds_other_delimiters(delimiter: str) -> None:
    content = delimiter.join(["name", "price"]) + "\n" + delimiter.join(["Kia", "1,5"])
    assert items({"content": content}) == [{"name": "Kia", "price": "1,5"}]


def test_json_that_holds_a_lead_is_json() -> None:
    assert items({"content": '{"body": "<adf><prospect/></adf>"}'}) == [{"body": "<adf><prospect/></adf>"}]


def test_one_json_object_is_one_item_even_over_several_lines() -> None:
    assert items({"content": '{\n"a": 1\n}'}) == [{"a": 1}]


@pytest.mark.parametrize("name", ["clean.xml", "as-mailed.eml"])
@pytest.mark.parametrize("given", ["auto", "adf"])
def test_leads_are_found_out(name: str, given: str) -> None:
    content = (DATA / name).read_text(encoding="windows-1252")
    outcome = process({"content": content, "format": given})
    assert (outcome.output["format"], outcome.output["item_count"]) == ("adf", 1)
    assert outcome.output["items"][0]["customer"]["name"]["full"]


def test_a_lead_in_base64_is_decoded() -> None:
    content = base64.encodebytes((DATA / "as-mailed.eml").read_bytes()).decode()
    lead = items({"content": content, "options": {"content_encoding": "base64"}})[0]
    assert lead["comments"] == "What's the payment with $3,000 down?"
    assert "it is not base64" in refusal({"content": "no!", "options": {"content_encoding": "base64"}})


def test_the_zone_of_dates_without_one() -> None:
    content = (
        "<adf><prospect><requestdate>11/20/2026 3:01 PM</requestdate><contact><name>J</name></contact></prospect></adf>"
    )
    lead = items({"content": content, "options": {"timezone": "America/Los_Angeles"}})[0]
    assert lead["requested_at"] == "2026-11-20T23:01:00Z"


def test_prospects_left_out_are_told_and_logged() -> None:
    content = "<adf><prospect><contact><name>J</name></contact></prospect><prospect/></adf>"
    step = FakeStep()
    outcome = run_node("file-processor", {"content": content}, step)
    assert isinstance(outcome, Done)
    told = "Prospect 2 has no customer contact: the <customer> element is missing."
    assert outcome.output["problems"] == [told]
    assert step.lines == [("warning", told, {})]


def test_what_arrives_is_read_when_no_content_is_given() -> None:
    outcome = process({"format": "csv"}, "a\n1\n")
    assert outcome.output["items"] == [{"a": "1"}]
    assert refusal({"format": "csv"}, {"a": 1}) == (
        "content: there is no text to read; name it, such as {{ input.body }}."
    )


@pytest.mark.parametrize(
    ("content", "options", "expected"),
    [
        ("a;b\n1;2\n", {"delimiter": ";"}, [{"a": "1", "b": "2"}]),
        ("1,2\n", {"header": False}, [["1", "2"]]),
        ("1,2\n", {"header": ["x", "y"]}, [{"x": "1", "y": "2"}]),
        ('a,b\n"x, y","say ""hi"""\n', {}, [{"a": "x, y", "b": 'say "hi"'}]),
        ('a\r\n"two\r\nlines"\r\n', {}, [{"a": "two\r\nlines"}]),
        ("\ufeffa,b\n1,2", {}, [{"a": "1", "b": "2"}]),
        ("a,a,,a\n1,2,3,4\n", {}, [{"a": "1", "a_2": "2", "column_3": "3", "a_3": "4"}]),
        ("a,b,c\n1\n", {}, [{"a": "1", "b": "", "c": ""}]),
        ("a\n1,,\n\n2\n", {}, [{"a": "1"}, {"a": "2"}]),
        ("zip\n00123\n", {}, [{"zip": "00123"}]),
        ("", {}, []),
        ("a,b\n", {}, []),
    ],
)
def test_csv_as_it_is_met(content: str, options: dict[str, Any], expected: list[Any]) -> None:
    assert items({"content": content, "format": "csv", "options": options}) == expected


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({"format": "csv", "content": "a,b\n1,2,3\n"}, "Row 2 has 3 values but there are 2 columns (a, b)."),
        ({"format": "csv", "content": 'a\n"open\n'}, "Line 2 of the table cannot be read"),
        ({"format": "json", "content": '{"a": }'}, "The JSON is not valid JSON at line 1, column 7: Expecting value."),
        ({"format": "json", "content": "[NaN]"}, "NaN is not a JSON number; write null instead."),
        ({"format": "json", "content": "[1.5, 1e999]"}, "1e999 is too large a number; write it as text."),
        ({"format": "ndjson", "content": "1\n1e999"}, "Line 2 is not valid JSON: 1e999 is too large a number"),
        ({"format": "json", "content": "[" * 200 + "]" * 200}, "The JSON is nested deeper than 100 levels."),
        ({"format": "json", "content": "[" * 100_000}, "The JSON is nested deeper than 100 levels."),
        ({"format": "json", "content": "9" * 10_000}, "The JSON is not valid JSON"),
        ({"format": "ndjson", "content": '{"a": 1}\n{bad}\n'}, "Line 2 is not valid JSON at column 2"),
        ({"format": "xml", "content": "<a><b></a>"}, "The XML is not well-formed at line 1, column 9: mismatched tag."),
        ({"format": "xml", "content": "<a>" * 200 + "</a>" * 200}, "The XML is nested deeper than 100 levels."),
        ({"format": "xml", "content": '<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>'}, "document type definition"),
        ({"format": "xml", "content": '<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>'}, "document type definition"),
        ({"format": "adf", "content": "nothing"}, "No ADF lead was found"),
        ({"content": "%PDF-1.7 ..."}, "The content is pdf, which is no text. Give the id of a stored file"),
        ({"content": "PK\x03\x04..."}, "The content is xlsx, which is no text."),
        ({"format": "text", "content": "a\nb\nc", "max_items": 2}, "holds 3 items and max_items is 2"),
        ({"format": "text", "content": "x" * (10 * MIB + 1)}, "at most 10 MiB is read"),
    ],
)
def test_what_cannot_be_read_is_told(config: dict[str, Any], told: str) -> None:
    assert told in refusal(config)


@pytest.mark.parametrize(
    ("config", "place", "told"),
    [
        ({"file": "a1", "content": "a"}, "file", "Give a file or content, not both."),
        (
            {"operation": "write", "format": "pdf"},
            "format",
            "Choose what to write: csv, tsv, json, ndjson, xlsx, xml or",
        ),
        ({"operation": "write", "format": "adf"}, "format", "Choose what to write"),
        ({"operation": "write"}, "format", "Choose what to write"),
    ],
)
def test_what_cannot_be_is_refused_when_saved_and_when_run(config: dict[str, Any], place: str, told: str) -> None:
    [(where, sentence)] = problems_of("file-processor", config)
    assert where == place
    assert sentence.startswith(told)
    assert told in refusal(config, "text")


XML = (
    """<c:catalog xmlns:c="urn:c" id="7"><book lang="en">One<note/></book><book>Two</book><empty></empty></c:catalog>"""
)


def test_xml_becomes_plain_values() -> None:
    assert items({"content": XML, "format": "xml"}) == [
        {"catalog": {"@id": "7", "book": [{"@lang": "en", "note": None, "#text": "One"}, "Two"], "empty": None}}
    ]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("catalog/book", [{"@lang": "en", "note": None, "#text": "One"}, "Two"]),
        ("/catalog/empty/", [None]),
        ("catalog/nothing", []),
        ("other/book", []),
    ],
)
def test_a_path_picks_xml_items(path: str, expected: list[Any]) -> None:
    assert items({"content": XML, "format": "xml", "options": {"path": path}}) == expected


ROWS = [{"a": 1, "b": "x, y"}, {"a": None, "c": True}]


@pytest.mark.parametrize(
    ("kind", "written", "media_type"),
    [
        ("csv", 'a,b,c\r\n1,"x, y",\r\n,,true\r\n', "text/csv; charset=utf-8"),
        ("tsv", "a\tb\tc\r\n1\tx, y\t\r\n\t\ttrue\r\n", "text/tab-separated-values; charset=utf-8"),
        ("ndjson", '{"a": 1, "b": "x, y"}\n{"a": null, "c": true}\n', "application/x-ndjson"),
        ("json", '[\n{"a": 1, "b": "x, y"},\n{"a": null, "c": true}\n]\n', "application/json"),
        (
            "xml",
            '<?xml version="1.0" encoding="UTF-8"?>\n<items>\n<item><a>1</a><b>x, y</b></item>\n'
            "<item><a/><c>true</c></item>\n</items>\n",
            "application/xml",
        ),
        ("text", '{"a":1,"b":"x, y"}\n{"a":null,"c":true}\n', "text/plain; charset=utf-8"),
    ],
)
def test_items_are_written(kind: str, written: str, media_type: str) -> None:
    outcome = process({"operation": "write", "format": kind, "content": ROWS})
    about = {"media_type": media_type, "size": len(written.encode()), "item_count": 2, "format": kind}
    assert outcome == Done({"content": written, "artefact": None, **about})


def test_json_written_is_json_read() -> None:
    written = process({"operation": "write", "format": "json", "content": ROWS}).output["content"]
    assert items({"content": written, "format": "json"}) == ROWS


def test_writing_takes_columns_and_neutralises_formulas() -> None:
    config = {"operation": "write", "format": "csv", "content": [{"a": "=1", "b": 2}]}
    assert process({**config, "options": {"columns": ["b", "a"]}}).output["content"] == "b,a\r\n2,'=1\r\n"
    assert process({**config, "options": {"neutralise_formulas": False}}).output["content"] == "a,b\r\n=1,2\r\n"


def test_writing_takes_what_arrives() -> None:
    outcome = process({"operation": "write", "format": "text"}, {"items": ["a", "b"]})
    assert outcome.output["content"] == "a\nb\n"


@pytest.mark.parametrize("options", [{"delimeter": ";"}, {"timezone": "Mars/Olympus"}, {"delimiter": ";;"}])
def test_options_are_checked(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        process({"content": "a", "options": options})
