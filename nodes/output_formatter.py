"""`output-formatter`: a result for people or machines to take away (`schemas/node_configs.yaml`)."""

from __future__ import annotations

import html
import re
from typing import Any, Literal

from pydantic import Field

from engine.expression_values import as_text
from engine.node import Done, Failed, NodeConfig, Outcome, Step, node
from nodes.formats.content import Unreadable
from nodes.formats.delimited import write_delimited
from nodes.formats.json_text import write_json
from nodes.settings.text import Text

_KINDS = {
    "json": ("application/json", "output.json"),
    "text": ("text/plain; charset=utf-8", "output.txt"),
    "markdown": ("text/markdown; charset=utf-8", "output.md"),
    "html": ("text/html; charset=utf-8", "output.html"),
    "csv": ("text/csv; charset=utf-8", "output.csv"),
}
_NO_FILENAME = re.compile(r"[\x00-\x1f\x7f/\\:*?\"<>|]+")


class Config(NodeConfig):
    format: Literal["json", "text", "markdown", "html", "csv"] = Field(default="json", description="What is made.")
    template: Text | None = Field(
        default=None,
        description="The text, for text, markdown and html. In html every value put in is escaped.",
        json_schema_extra={"x-escape": "html", "x-escape-when": {"format": "html"}},
    )
    value: Any = Field(default=None, description="The value, for json and csv; what arrives if not given.")
    filename: Text = Field(default="", description="What a download is called.")


@node("output-formatter", title="Format output", config=Config)
def run(config: Config, step: Step) -> Outcome:
    """Writes JSON, text, Markdown, HTML or CSV."""
    media_type, filename = _KINDS[config.format]
    value = config.value if "value" in config.model_fields_set else step.input
    try:
        content = _content(config, value)
    except Unreadable as error:
        return Failed("rejected", f"value: {error.message}")
    return Done({"content": content, "media_type": media_type, "filename": _safe(config.filename) or filename})


def _content(config: Config, value: Any) -> str:
    if config.format == "json":
        return write_json(value)
    if config.format == "csv":
        return write_delimited(_rows(value), neutralise=True)
    if config.template is not None:
        return config.template
    return f"<pre>{html.escape(as_text(value))}</pre>" if config.format == "html" else as_text(value)


def _rows(value: Any) -> list[Any]:
    """A list is its rows, a map with `items` (a file-processor's output) holds them, any other value is one row."""
    if isinstance(value, dict) and isinstance(value.get("items"), list):
        return list(value["items"])
    return value if isinstance(value, list) else [value]


def _safe(filename: str) -> str:
    """A name without folders and without signs that headers or file systems read otherwise."""
    return _NO_FILENAME.sub("_", filename.strip()).strip(". ")[:150]
