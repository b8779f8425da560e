"""Stored files of any format and size, read and written through the guarded child."""

import base64
import csv
import datetime as dt
import io
import json
import zipfile
import zlib
from typing import Any

import openpyxl
import pytest

from engine.house_ports import StoredFile
from engine.node import Done, Failed
from engine.ports import Rejected
from engine.testing import FakeStep, MemoryFiles, memory_ports, run_node
from nodes.formats.content import MIB
from nodes.formats.stored import INLINE_BYTES


def step_with(content: bytes, name: str = "input.bin", **more: Any) -> FakeStep:
    return FakeStep(ports=memory_ports(files=[StoredFile("f1", name, "application/octet-stream", content)]), **more)


def files_of(step: FakeStep) -> MemoryFiles:
    assert isinstance(step.ports.files, MemoryFiles)
    return step.ports.files


def parse(content: bytes, name: str = "input.bin", **config: Any) -> Any:
    return run_node("file-processor", {"file": "f1", **config}, step_with(content, name))


def output(content: bytes, name: str = "input.bin", **config: Any) -> dict[str, Any]:
    outcome = parse(content, name, **config)
    assert isinstance(outcome, Done), outcome
    found: dict[str, Any] = outcome.output
    return found


def refusal(content: bytes, name: str = "input.bin", **config: Any) -> str:
    outcome = parse(content, name, **config)
    assert isinstance(outcome, Failed), outcome
    assert outcome.code == "rejected"
    return outcome.message


def workbook(rows: list[list[Any]], *, title: str = "Stock", more: dict[str, list[list[Any]]] | None = None) -> bytes:
    book = openpyxl.Workbook()
    book.active.title = title
    for row in rows:
        book.active.append(row)
    for name, others in (more or {}).items():
        sheet = book.create_sheet(name)
        for row in others:
            sheet.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def pdf(*pages: str) -> bytes:
    """A PDF file that shows one line a page."""
    objects = [b"<< /Type /Catalog /Pages 2 0 R >>", b""]
    kids = []
    for text in pages:
        stream = f"BT /F1 12 Tf 72 720 Td ({text}) Tj ET".encode()
        objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream))
        font = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"
        page = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents %d 0 R " % len(objects)
        objects.append(page + b"/Resources << /Font << /F1 %s >> >> >>" % font)
        kids.append(b"%d 0 R" % len(objects))
    objects[1] = b"<< /Type /Pages /Count %d /Kids [%s] >>" % (len(pages), b" ".join(kids))
    out = bytearray(b"%PDF-1.7\n")
    places = []
    for number, each in enumerate(objects, start=1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, each)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    return bytes(out + b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF" % (len(objects) + 1, start))


LEAD = b"<adf><prospect><customer><contact><name>Jo</name><email>jo@example.com</email></contact></customer></prospect></adf>"
ROW = [{"a": "1", "b": "2"}]


@pytest.mark.parametrize(
    ("name", "content", "kind", "items"),
    [
        ("x.csv", b"a,b\n1,2\n", "csv", ROW),
        ("x.csv", b"only\n1\n", "csv", [{"only": "1"}]),
        ("x.bin", b"a;b\n1;2\n", "csv", ROW),
        ("x.tsv", b"a\tb\n1\t2\n", "tsv", ROW),
        ("x.json", b'\xef\xbb\xbf[{"a": "1", "b": "2"}]', "json", ROW),
        ("x.json", b'{"a": [1, 2]}', "json", [{"a": [1, 2]}]),
        ("x.json", b" [ ] ", "json", []),
        ("x.json", b'[1, -2.5e3, null, true, "x"]', "json", [1, -2500.0, None, True, "x"]),
        ("x.jsonl", b'{"a": 1}\n\n{"a": 2}\n', "ndjson", [{"a": 1}, {"a": 2}]),
        ("x.xml", b"<?xml version='1.0'?><r><x>1</x></r>", "xml", [{"r": {"x": "1"}}]),
        ("x.txt", b"Dear all,\r\nsee you", "text", ["Dear all,", "see you"]),
        ("x.csv", "name,ort\nKöhler,Nürnberg\n".encode("cp1252"), "csv", [{"name": "Köhler", "ort": "Nürnberg"}]),
        ("x.csv", "name\nKöhler\n".encode("utf-16"), "csv", [{"name": "Köhler"}]),
        ("x.csv", b"", "csv", []),
        ("x.pdf", pdf("Hello", "World"), "pdf", [{"page": 1, "text": "Hello"}, {"page": 2, "text": "World"}]),
        ("unnamed", workbook([["a", "b"], ["1", "2"]]), "xlsx", ROW),
    ],
)
def test_every_format_is_found_out(name: str, content: bytes, kind: str, items: list[Any]) -> None:
    about = {"item_count": len(items), "format": kind, "problems": [], "artefact": None, "truncated": False}
    assert output(content, name) == {"items": items, **about}


def test_leads_are_read() -> None:
    found = output(LEAD, "lead.xml")
    assert (found["format"], found["items"][0]["customer"]["name"]["full"]) == ("adf", "Jo")


def test_what_prospects_were_left_out_is_told_and_logged() -> None:
    step = step_with(LEAD.replace(b"</adf>", b"<prospect/></adf>"), "lead.xml")
    outcome = run_node("file-processor", {"file": "f1"}, step)
    assert isinstance(outcome, Done)
    told = "Prospect 2 has no customer contact: the <customer> element is missing."
    assert outcome.output["problems"] == [told]
    assert step.lines == [("warning", told, {})]


CELLS = [
    ["vin", "price", "sold", "on", "at", None],
    ["1HGCM82633A004352", 19999.5, True, "=1+1", None, None],
    [],
    [None, 3, False, None, "late"],
]


def test_a_workbooks_cells_keep_their_kind() -> None:
    book = openpyxl.load_workbook(io.BytesIO(workbook(CELLS, more={"Other": [["x"], [1]]})))
    book["Stock"]["E2"] = dt.datetime(2026, 11, 20, 9, 30)  # noqa: DTZ001  A sheet knows no zones.
    book["Stock"]["D2"].data_type = "s"
    out = io.BytesIO()
    book.save(out)
    assert output(out.getvalue())["items"] == [
        {"vin": "1HGCM82633A004352", "price": 19999.5, "sold": True, "on": "=1+1", "at": "2026-11-20T09:30:00"},
        {"vin": None, "price": 3, "sold": False, "on": None, "at": "late"},
    ]
    assert output(out.getvalue(), options={"sheet": "Other"})["items"] == [{"x": 1}]
    assert output(out.getvalue(), options={"sheet": "2", "header": False})["items"] == [["x"], [1]]
    assert "no sheet 'Nix'. Its sheets are: Stock, Other." in refusal(out.getvalue(), options={"sheet": "Nix"})


def test_a_path_picks_elements_of_a_file() -> None:
    xml = b"<c><book id='1'>One</book><other><book>no</book></other><book>Two</book></c>"
    assert output(xml, options={"path": "c/book"})["items"] == [{"@id": "1", "#text": "One"}, "Two"]


def zipped(parts: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return out.getvalue()


def with_part(name: str, data: bytes) -> bytes:
    """A good workbook with one part more, or another one."""
    with zipfile.ZipFile(io.BytesIO(workbook([["a"], [1]]))) as archive:
        parts = {each: archive.read(each) for each in archive.namelist()}
    return zipped({**parts, name: data})


def entity_bomb(root: str = "sst") -> bytes:
    lines = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12))
    return f'<?xml version="1.0"?><!DOCTYPE {root} [<!ENTITY l0 "lol">{lines}]><{root}>&l11;</{root}>'.encode()


def pdf_bomb() -> bytes:
    """A page whose content unpacks to 600 MiB."""
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(b" " * MIB) for _ in range(600)) + packer.flush()
    good = pdf("A")
    start, end = good.index(b"<< /Length"), good.index(b"endstream")
    bomb = b"<< /Length %d /Filter /FlateDecode >>\nstream\n%s\n" % (len(packed), packed)
    return good[:start] + bomb + good[end:]


HOSTILE: dict[str, tuple[str, bytes, str]] = {
    "zip bomb": ("x.xlsx", with_part("xl/media/big.xml", b"\0" * (64 << 20)), "unpacks to far more than"),
    "many parts": ("x.xlsx", zipped({f"p{n}": b"" for n in range(2100)}), "too many parts"),
    "no workbook": ("x.xlsx", zipped({"evil.exe": b"MZ"}), "no XLSX workbook"),
    "macros": ("x.xlsx", with_part("xl/vbaProject.bin", b"macro"), "holds macros"),
    "cut workbook": ("x.xlsx", workbook([["a"], [1]])[:900], "damaged"),
    "entities in the sheet": (
        "x.xlsx",
        with_part("xl/worksheets/sheet1.xml", entity_bomb("worksheet")),
        "cannot be read",
    ),
    "entities in the workbook": ("x.xlsx", with_part("xl/workbook.xml", entity_bomb("workbook")), "cannot be read"),
    "rows left out without end": (
        "x.xlsx",
        with_part(
            "xl/worksheets/sheet1.xml",
            b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData><row r="1">'
            b'<c r="A1"><v>1</v></c></row><row r="2000000000"><c r="A2000000000"><v>1</v></c></row></sheetData></worksheet>',
        ),
        "goes beyond row 1,048,576",
    ),
    "columns of one name": ("x.csv", b",".join([b"a"] * 500_000), "at most 16,384 are read"),
    "no pdf": ("x.pdf", b"%PDF-1.7\n" + b"\xff" * 5000, "damaged"),
    "cut pdf": ("x.pdf", pdf("Hello")[:60], "damaged"),
    "pdf pages in a circle": ("x.pdf", pdf("A").replace(b"/Count 1 /Kids [4 0 R]", b"/Count 9 /Kids [2 0 R]"), ""),
    "pdf that unpacks without end": ("x.pdf", pdf_bomb(), "cannot be read"),
    "entity bomb": ("x.xml", entity_bomb("a"), "document type definition"),
    "foreign entity": ("x.xml", b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>', "document type"),
    "deep xml": ("x.xml", b"<a>" * 100_000, "nested deeper than 100 levels"),
    "a comment without end": ("x.xml", b"<a><!--" + b"-x" * (10 << 20), "not well-formed"),
    "cut xml": ("x.xml", b"<a><b>", "not well-formed"),
    "one huge element": ("x.xml", b"<a>" + b"x" * (300 << 20) + b"</a>", "more than 384 MiB of memory"),
    "deep json": ("x.json", b"[" * 100_000, "nested"),
    "deep json element": ("x.json", b"[" + b"[" * 200 + b"]" * 200 + b"]", "nested deeper than 100 levels"),
    "cut json": ("x.json", b'[{"a": 1}, {"a":', "Element 2 of the JSON array is not valid JSON"),
    "json after json": ("x.json", b"[1] 2", "goes on after its end"),
    "no comma": ("x.json", b"[1 2]", "not valid after element 1"),
    "a huge string": ("x.json", b'["' + b"x" * (40 << 20) + b'"]', "longer than 4,194,304 characters"),
    "nan": ("x.json", b"[1, NaN]", "NaN is not a JSON number"),
    "a number that is infinite": ("x.json", b"[1, -1e400]", "-1e400 is too large a number"),
    "a number of many digits": ("x.json", b"[" + b"9" * 5000 + b"]", "not valid JSON"),
    "a line without end": ("x.csv", b"a,b\n" + b"x" * (8 << 20), "longer than"),
    "an open quote": ("x.csv", b'a,b\n"open' + b"\nx" * 3_000_000, "cannot be read"),
    "a row too wide": ("x.csv", b"a,b\n1,2,3\n", "Row 2 has 3 values"),
    "bad ndjson": ("x.ndjson", b'{"a": 1}\n{bad}\n', "Line 2 is not valid JSON"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused_and_leaves_nothing(name: str) -> None:
    called, content, told = HOSTILE[name]
    step = step_with(content, called)
    outcome = run_node("file-processor", {"file": "f1"}, step)
    assert isinstance(outcome, Failed), outcome
    assert outcome.code == "rejected"
    assert told in outcome.message
    assert set(files_of(step).files) == {"f1"}


def test_a_step_that_is_late_ends_its_child() -> None:
    """Two seconds are kept for what comes after, so one is left."""
    rows = b"".join(b"%d,x\n" % n for n in range(4_000_000))
    step = step_with(b"a,b\n" + rows, "x.csv", timeout=1.0)
    outcome = run_node("file-processor", {"file": "f1"}, step)
    assert isinstance(outcome, Failed)
    assert "could not be read within 1 seconds" in outcome.message
    assert set(files_of(step).files) == {"f1"}


def test_a_large_file_becomes_a_file_of_all_its_items() -> None:
    rows = 60_000
    content = b"id,name\n" + b"".join(b"%d,Customer %d\n" % (n, n) for n in range(rows))
    step = step_with(content, "customers.csv")
    outcome = run_node("file-processor", {"file": "f1"}, step)
    assert isinstance(outcome, Done)
    found = outcome.output
    assert (found["item_count"], found["truncated"], found["artefact"]) == (rows, True, "file-1")
    assert len(json.dumps(found["items"], separators=(",", ":"))) <= INLINE_BYTES
    stored = files_of(step).files["file-1"]
    assert (stored.name, stored.media_type) == ("customers.ndjson", "application/x-ndjson")
    lines = stored.content.splitlines()
    assert len(lines) == rows
    assert [json.loads(line) for line in lines[: len(found["items"])]] == found["items"]
    assert json.loads(lines[-1]) == {"id": str(rows - 1), "name": f"Customer {rows - 1}"}


def test_max_items_bounds_what_stands_in_items() -> None:
    step = step_with(b"a\n1\n2\n3\n", "x.csv")
    outcome = run_node("file-processor", {"file": "f1", "max_items": 2}, step)
    assert isinstance(outcome, Done)
    assert outcome.output["items"] == [{"a": "1"}, {"a": "2"}]
    assert (outcome.output["item_count"], outcome.output["truncated"]) == (3, True)
    assert files_of(step).files["file-1"].content == b'{"a":"1"}\n{"a":"2"}\n{"a":"3"}\n'


def test_a_repeated_step_leaves_one_file() -> None:
    step = step_with(b"a\n1\n2\n3\n", "x.csv")
    for _ in range(2):
        run_node("file-processor", {"file": "f1", "max_items": 2}, step)
    assert set(files_of(step).files) == {"f1", "file-1"}
    assert files_of(step).keys == {"execution/node/0/items": "file-1"}


def test_a_file_that_is_not_there_is_refused() -> None:
    with pytest.raises(Rejected, match="There is no file of the id 'nix'"):
        run_node("file-processor", {"file": "nix"}, step_with(b""))


def test_a_workbook_in_base64_is_read() -> None:
    content = base64.b64encode(workbook([["a"], [1]])).decode()
    config = {"content": content, "options": {"content_encoding": "base64"}}
    outcome = run_node("file-processor", config, FakeStep())
    assert isinstance(outcome, Done)
    assert (outcome.output["format"], outcome.output["items"]) == ("xlsx", [{"a": 1}])


# Writing

ROWS = [{"id": 1, "note": "=cmd|' /C calc'!A0"}, {"id": 2, "note": "+49 911 1", "new": ["x"]}]


def write(step: FakeStep, **config: Any) -> dict[str, Any]:
    outcome = run_node("file-processor", {"operation": "write", **config}, step)
    assert isinstance(outcome, Done), outcome
    found: dict[str, Any] = outcome.output
    return found


def test_a_workbook_is_written_without_formulas() -> None:
    step = FakeStep()
    found = write(step, format="xlsx", content=ROWS, file_name="deals.xlsx")
    stored = files_of(step).files[found["artefact"]]
    assert (stored.name, stored.media_type, len(stored.content)) == ("deals.xlsx", found["media_type"], found["size"])
    sheet = openpyxl.load_workbook(io.BytesIO(stored.content)).active
    assert [[cell.value for cell in row] for row in sheet.iter_rows()] == [
        ["id", "note", "new"],
        [1, "=cmd|' /C calc'!A0", None],
        [2, "+49 911 1", '["x"]'],
    ]
    assert sheet["B2"].data_type == "s"
    assert (found["content"], found["item_count"]) == (None, 2)


@pytest.mark.parametrize("kind", ["csv", "tsv", "json", "ndjson", "xlsx", "xml", "text"])
def test_what_a_file_holds_is_written_anew_and_read_again(kind: str) -> None:
    content = b"".join(b'{"id": "%d", "name": "Ann, %d"}\n' % (n, n) for n in range(2000))
    step = step_with(content, "people.ndjson")
    found = write(step, format=kind, file="f1")
    assert (found["item_count"], found["format"], found["content"]) == (2000, kind, None)
    stored = files_of(step).files[found["artefact"]]
    assert stored.name == f"people.{'txt' if kind == 'text' else kind}"
    again = FakeStep(ports=memory_ports(files=[StoredFile("f1", stored.name, stored.media_type, stored.content)]))
    config = {"file": "f1", "format": kind, "options": {"path": "items/item"}}
    outcome = run_node("file-processor", config, again)
    assert isinstance(outcome, Done), outcome
    last = outcome.output["items"][-1]
    assert (outcome.output["item_count"], json.loads(last) if kind == "text" else last) == (
        2000,
        {"id": "1999", "name": "Ann, 1999"},
    )


def test_a_stored_csv_neutralises_formulas() -> None:
    step = step_with(json.dumps(ROWS).encode(), "rows.json")
    stored = files_of(step).files[write(step, format="csv", file="f1")["artefact"]]
    assert list(csv.reader(io.StringIO(stored.content.decode(), newline=""))) == [
        ["id", "note", "new"],
        ["1", "'=cmd|' /C calc'!A0", ""],
        ["2", "'+49 911 1", '["x"]'],
    ]


def test_long_text_is_stored_and_short_text_is_given() -> None:
    step = FakeStep()
    short = write(step, format="text", content=["x"])
    assert (short["content"], short["artefact"]) == ("x\n", None)
    long = write(step, format="text", content=["x" * 1000] * 300)
    assert (long["content"], long["size"]) == (None, 300 * 1001)
    assert files_of(step).files[long["artefact"]].name == "items.txt"


def test_the_first_items_of_a_large_file_are_not_taken_for_all() -> None:
    given = {"items": [1], "truncated": True, "artefact": "f1"}
    outcome = run_node("file-processor", {"operation": "write", "format": "json", "content": given}, FakeStep())
    assert isinstance(outcome, Failed)
    assert "these are only the first items of a large file" in outcome.message


def test_items_of_two_kinds_are_no_table() -> None:
    step = step_with(b'[{"a": 1}, [2]]', "x.json")
    outcome = run_node("file-processor", {"operation": "write", "format": "csv", "file": "f1"}, step)
    assert isinstance(outcome, Failed)
    assert "these items mix them" in outcome.message
    assert set(files_of(step).files) == {"f1"}


def test_xml_names_are_made_to_fit() -> None:
    found = write(FakeStep(), format="xml", content=[{"1 a": "<&>", "@x y": 'a"b', "l": [1, None]}])
    assert '<item x_y="a&quot;b"><_1_a>&lt;&amp;&gt;</_1_a><l>1</l><l/></item>' in found["content"]
