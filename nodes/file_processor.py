"""`file-processor`: files and texts of many formats to items, and items to files and texts (`schemas/node_configs.yaml`)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, field_validator

from engine.node import Done, Effect, Failed, NodeConfig, Outcome, Step, node
from nodes.formats.adf import parse_adf
from nodes.formats.adf_document import looks_like_adf
from nodes.formats.content import MIB, Unreadable, check_size, decode, detect, sniff_delimiter
from nodes.formats.delimited import parse_delimited
from nodes.formats.job import Job
from nodes.formats.json_text import parse_json, parse_json_lines
from nodes.formats.stored import Clock, Found, Made, as_file, opened, read_items, write_file, write_items
from nodes.formats.writing import MEDIA_TYPES
from nodes.formats.xml import parse_xml
from nodes.settings.checks import Problems
from nodes.settings.text import Text

MAX_CONTENT = 10 * MIB
_BINARY = ("xlsx", "pdf")
_WRITTEN = "csv, tsv, json, ndjson, xlsx, xml or text"


class Options(BaseModel):
    """How a format is read or written."""

    model_config = ConfigDict(extra="forbid")

    delimiter: str = Field(default="", max_length=1, description="csv: the sign between values; a comma if not given.")
    header: bool | list[str] = Field(
        default=True, description="csv, tsv, xlsx: whether the first row names the columns; or the names themselves."
    )
    columns: list[str] = Field(
        default=[], description="csv, tsv, xlsx, writing: which columns, in which order; else all there are."
    )
    neutralise_formulas: bool = Field(
        default=True, description="csv, tsv, writing: put a ' before text that a spreadsheet would run as a formula."
    )
    sheet: Text = Field(default="", description="xlsx: the sheet's name, or its number from 1; else the first shown.")
    path: Text = Field(default="", description="xml: where the items are, from the root, such as catalog/book.")
    root: Text = Field(default="items", description="xml, writing: the name of the outermost element.")
    item: Text = Field(default="item", description="xml, writing: the name of each item's element.")
    timezone: Text = Field(default="", description="adf: the zone of dates that name none, such as America/Chicago.")
    content_encoding: Literal["text", "base64"] = Field(
        default="text", description="base64: content holds bytes in base64, whose charset is found out."
    )

    @field_validator("timezone")
    @classmethod
    def _known(cls, name: str) -> str:
        try:
            if name:
                ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError("it must be a zone's IANA name, such as America/Chicago") from None
        return name


class Config(NodeConfig):
    operation: Literal["parse", "write"] = Field(
        default="parse", description="To items, or from items to a file or text."
    )
    format: Literal["auto", "csv", "tsv", "json", "ndjson", "xlsx", "xml", "pdf", "text", "adf"] = Field(
        default="auto", description="The format; auto finds it out when reading."
    )
    file: Text | None = Field(
        default=None, description="The id of a stored file to read, of any size; or to write anew."
    )
    content: Any = Field(default=None, description="The text to read, or the items to write; else what arrives.")
    file_name: Text = Field(
        default="", max_length=200, description="Writing: store the result as a file of this name, however short it is."
    )
    options: Options = Field(default=Options(), description="Details of the format.")
    max_items: int = Field(
        default=100_000,
        ge=1,
        le=1_000_000,
        description="content: more items than this are refused. file: at most this many stand in items.",
    )


def check(config: Config) -> Problems:
    problems: Problems = []
    if config.file and config.content is not None:
        problems.append(("file", "Give a file or content, not both."))
    if config.operation == "write" and config.format not in MEDIA_TYPES:
        problems.append(("format", f"Choose what to write: {_WRITTEN}."))
    return problems


def narrows(config: Config) -> Effect:
    """Text at hand is read without storing anything; what is read from a file, or written, may become a file."""
    at_hand = config.operation == "parse" and not config.file and config.options.content_encoding == "text"
    return Effect.PURE if at_hand else Effect.REPEATABLE


def sample(config: Config) -> dict[str, Any]:
    """A file without items, or one that was written."""
    if config.operation == "parse":
        told: dict[str, Any] = {"items": [], "item_count": 0, "format": config.format, "problems": []}
        return {**told, "artefact": None, "truncated": False}
    told = {"content": None, "artefact": "00000000-0000-7000-8000-000000000000", "size": 0, "item_count": 0}
    return {**told, "media_type": MEDIA_TYPES.get(config.format, "text/plain"), "format": config.format}


@node(
    "file-processor",
    title="Read or write a file",
    config=Config,
    check=check,
    effect=Effect.REPEATABLE,
    narrows=narrows,
    sample=sample,
    default_timeout=600.0,
)
def run(config: Config, step: Step) -> Outcome:
    """Reads CSV, TSV, JSON, NDJSON, XLSX, XML, PDF, text and ADF leads into items, or writes items to a file or text.

    A stored file may have a million items: the first ones stand in `items`, all of them in the NDJSON file `artefact`.
    """
    clock = Clock(step)
    try:
        return Done(_write(config, step, clock) if config.operation == "write" else _parse(config, step, clock))
    except Unreadable as error:
        return Failed("rejected", error.message)


def _job(config: Config, name: str = "") -> Job:
    options = config.options
    return Job(
        "read",
        format="auto" if config.operation == "write" else config.format,
        target=config.format,
        name=name,
        delimiter=options.delimiter,
        header=options.header,
        columns=options.columns,
        neutralise=options.neutralise_formulas,
        path=options.path,
        timezone=options.timezone,
        sheet=options.sheet,
        root=options.root,
        item=options.item,
    )


def _parse(config: Config, step: Step, clock: Clock) -> dict[str, Any]:
    if config.file:
        with opened(step, config.file) as (name, file):
            return _found(read_items(step, _job(config, name), file, clock, most=config.max_items), step)
    given = step.input if config.content is None else config.content
    if not isinstance(given, str):
        raise Unreadable("content: there is no text to read; name it, such as {{ input.body }}.")
    content = _bytes(given) if config.options.content_encoding == "base64" else given
    check_size(content, MAX_CONTENT, "content")
    kind = _kind(config, content)
    if kind in _BINARY:
        return _parse_binary(config, step, clock, content, kind)
    if kind == "adf":
        leads = parse_adf(content, ZoneInfo(config.options.timezone) if config.options.timezone else None)
        return _parsed(config, step, leads.items, kind, leads.problems)
    text = content if isinstance(content, str) else decode(content)
    return _parsed(config, step, _READERS[kind](text, config), kind, [])


def _parse_binary(config: Config, step: Step, clock: Clock, content: str | bytes, kind: str) -> dict[str, Any]:
    """A workbook or a PDF file in base64."""
    if isinstance(content, str):
        raise Unreadable(
            f"The content is {kind}, which is no text. Give the id of a stored file, or its bytes in base64 with "
            "options.content_encoding set to base64."
        )
    with as_file(content) as file:
        found = read_items(step, _job(config, f"content.{kind}"), file, clock, most=config.max_items)
    return _found(found, step)


def _found(found: Found, step: Step) -> dict[str, Any]:
    for problem in found.report.problems:
        step.log("warning", problem)
    return {
        "items": found.items,
        "item_count": found.report.count,
        "format": found.report.format,
        "problems": found.report.problems,
        "artefact": found.file,
        "truncated": len(found.items) < found.report.count,
    }


def _parsed(config: Config, step: Step, items: list[Any], kind: str, problems: list[str]) -> dict[str, Any]:
    if len(items) > config.max_items:
        raise Unreadable(
            f"The content holds {len(items):,} items and max_items is {config.max_items:,}. Split it, raise max_items, or "
            "upload it as a file and give the file's id."
        )
    for problem in problems:
        step.log("warning", problem)
    told = {"items": items, "item_count": len(items), "format": kind, "problems": problems}
    return {**told, "artefact": None, "truncated": False}


def _bytes(given: str) -> bytes:
    try:
        return base64.b64decode("".join(given.split()), validate=True)
    except (binascii.Error, ValueError):
        raise Unreadable("content: it is not base64, as options.content_encoding says; set that to text.") from None


def _kind(config: Config, content: str | bytes) -> str:
    """The format to read as."""
    if config.format != "auto":
        return config.format
    text = content if isinstance(content, str) else decode(content)
    is_json = text.lstrip("\ufeff \t\r\n").startswith(("{", "["))
    return "adf" if not is_json and looks_like_adf(text) else detect(text)


def _read_csv(text: str, config: Config) -> list[Any]:
    found = sniff_delimiter(text) if config.format == "auto" else ""
    return parse_delimited(text, config.options.delimiter or found or ",", config.options.header)


def _read_json(text: str, _config: Config) -> list[Any]:
    value = parse_json(text)
    return value if isinstance(value, list) else [value]


_READERS: dict[str, Callable[[str, Config], list[Any]]] = {
    "csv": _read_csv,
    "tsv": lambda text, config: parse_delimited(text, "\t", config.options.header),
    "json": _read_json,
    "ndjson": lambda text, _config: parse_json_lines(text),
    "xml": lambda text, config: parse_xml(text, config.options.path),
    "text": lambda text, _config: text.removeprefix("\ufeff").splitlines(),
}


def _write(config: Config, step: Step, clock: Clock) -> dict[str, Any]:
    if config.file:
        with opened(step, config.file) as (name, file):
            return _made(config, write_file(step, _job(config, name), file, clock, config.file_name))
    items = _items(step.input if config.content is None else config.content)
    return _made(config, write_items(step, _job(config), items, config.file_name))


def _made(config: Config, made: Made) -> dict[str, Any]:
    return {
        "content": made.content,
        "artefact": made.file,
        "media_type": MEDIA_TYPES[config.format],
        "size": made.size,
        "item_count": made.report.count,
        "format": config.format,
    }


def _items(given: Any) -> list[Any]:
    """A list is its items, a map with `items` (what reading gives) holds them, any other value is one item."""
    if isinstance(given, dict) and isinstance(given.get("items"), list):
        if given.get("truncated") is True and isinstance(given.get("artefact"), str):
            raise Unreadable(
                "content: these are only the first items of a large file. Write all of them by setting file to the artefact's "
                "id, such as {{ steps.read.artefact }}."
            )
        return list(given["items"])
    return given if isinstance(given, list) else [given]
