"""`file-processor`: text of many formats to items and back (`schemas/node_configs.yaml`)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, field_validator

from engine.expression_values import as_text
from engine.node import Done, Failed, NodeConfig, Outcome, Step, node
from nodes.formats.adf import parse_adf
from nodes.formats.adf_document import looks_like_adf
from nodes.formats.content import MIB, Unreadable, check_size, decode, detect, sniff_delimiter
from nodes.formats.delimited import parse_delimited, write_delimited
from nodes.formats.json_text import parse_json, parse_json_lines, write_json, write_json_lines
from nodes.formats.xml import parse_xml
from nodes.settings.checks import Problems
from nodes.settings.text import Text

MAX_CONTENT = 10 * MIB
_READ = "csv, tsv, json, ndjson, xml, text and adf"
_NO_FILES = "Stored files cannot be opened yet; give the text itself in content."


class Options(BaseModel):
    """How a format is read or written."""

    model_config = ConfigDict(extra="forbid")

    delimiter: str = Field(default="", max_length=1, description="csv: the sign between values; a comma if not given.")
    header: bool | list[str] = Field(
        default=True, description="csv, tsv: whether the first row names the columns; or the names themselves."
    )
    columns: list[str] = Field(default=[], description="csv, writing: which columns, in which order.")
    neutralise_formulas: bool = Field(
        default=False, description="csv, writing: put a ' before text that a spreadsheet would run as a formula."
    )
    path: Text = Field(default="", description="xml: where the items are, from the root, such as catalog/book.")
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
    operation: Literal["parse", "write"] = Field(default="parse", description="From text to items, or the other way.")
    format: Literal["auto", "csv", "tsv", "json", "ndjson", "xlsx", "xml", "pdf", "text", "adf"] = Field(
        default="auto", description="The format; auto finds it out when reading."
    )
    file: Text | None = Field(default=None, description="A stored file (comes later).")
    content: Any = Field(default=None, description="The text to read, or the items to write; else what arrives.")
    options: Options = Field(default=Options(), description="Details of the format.")
    max_items: int = Field(default=100_000, ge=1, le=1_000_000, description="More items than this are refused.")


def check(config: Config) -> Problems:
    problems: Problems = []
    if config.file:
        problems.append(("file", _NO_FILES))
    if config.format in ("xlsx", "pdf"):
        problems.append(("format", f"This build reads {_READ}; {config.format} comes later. Save it as csv first."))
    if config.operation == "write" and config.format in ("auto", "xml", "adf"):
        problems.append(("format", "Choose what to write: csv, tsv, json, ndjson or text."))
    return problems


@node("file-processor", title="Read or write a file", config=Config, check=check)
def run(config: Config, step: Step) -> Outcome:
    """Reads CSV, TSV, JSON, NDJSON, XML, text and ADF leads into items, or writes items as CSV, TSV, JSON or text."""
    content = step.input if config.content is None else config.content
    try:
        return Done(_write(config, content) if config.operation == "write" else _parse(config, content, step))
    except Unreadable as error:
        return Failed("rejected", error.message)


def _parse(config: Config, given: Any, step: Step) -> dict[str, Any]:
    if not isinstance(given, str):
        raise Unreadable("content: there is no text to read; name it, such as {{ input.body }}.")
    content = _bytes(given) if config.options.content_encoding == "base64" else given
    check_size(content, MAX_CONTENT, "content")
    kind = _kind(config, content)
    if kind == "adf":
        leads = parse_adf(content, ZoneInfo(config.options.timezone) if config.options.timezone else None)
        for problem in leads.problems:
            step.log("warning", problem)
        return _parsed(config, leads.items, kind, leads.problems)
    text = content if isinstance(content, str) else decode(content)
    return _parsed(config, _READERS[kind](text, config), kind, [])


def _parsed(config: Config, items: list[Any], kind: str, problems: list[str]) -> dict[str, Any]:
    if len(items) > config.max_items:
        raise Unreadable(
            f"The content holds {len(items):,} items and max_items is {config.max_items:,}. Split it or raise it."
        )
    return {"items": items, "item_count": len(items), "format": kind, "problems": problems}


def _bytes(given: str) -> bytes:
    try:
        return base64.b64decode("".join(given.split()), validate=True)
    except (binascii.Error, ValueError):
        raise Unreadable("content: it is not base64, as options.content_encoding says; set that to text.") from None


def _kind(config: Config, content: str | bytes) -> str:
    """The format to read as. Raises `Unreadable` for one that this build cannot read."""
    if config.format != "auto":
        return config.format
    text = content if isinstance(content, str) else decode(content)
    is_json = text.lstrip("\ufeff \t\r\n").startswith(("{", "["))
    kind = "adf" if not is_json and looks_like_adf(text) else detect(text)
    if kind not in (*_READERS, "adf"):
        raise Unreadable(f"The content is {kind}; this build reads {_READ}. Save it as csv or text first.")
    return kind


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


def _write(config: Config, given: Any) -> dict[str, Any]:
    items = _items(given)
    content, media_type = _WRITERS[config.format](items, config.options)
    check_size(content, MAX_CONTENT, "text that was written")
    return {"content": content, "media_type": media_type, "item_count": len(items), "format": config.format}


def _items(given: Any) -> list[Any]:
    """A list is its items, a map with `items` (what reading gives) holds them, any other value is one item."""
    if isinstance(given, dict) and isinstance(given.get("items"), list):
        return list(given["items"])
    return given if isinstance(given, list) else [given]


_WRITERS: dict[str, Callable[[list[Any], Options], tuple[str, str]]] = {
    "csv": lambda items, options: (
        write_delimited(items, options.delimiter or ",", options.columns, options.neutralise_formulas),
        "text/csv; charset=utf-8",
    ),
    "tsv": lambda items, options: (
        write_delimited(items, "\t", options.columns, options.neutralise_formulas),
        "text/tab-separated-values; charset=utf-8",
    ),
    "json": lambda items, _options: (write_json(items), "application/json"),
    "ndjson": lambda items, _options: (write_json_lines(items), "application/x-ndjson"),
    "text": lambda items, _options: ("".join(f"{as_text(each)}\n" for each in items), "text/plain; charset=utf-8"),
}
