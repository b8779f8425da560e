"""`output-formatter`: a result for people or machines to take away (`schemas/node_configs.yaml`)."""

from __future__ import annotations

import html
from typing import Any, Literal

from pydantic import Field

from engine.expression_values import as_text
from engine.node import Done, Effect, Failed, NodeConfig, Outcome, Step, node
from nodes.formats.content import Unreadable
from nodes.formats.delimited import write_delimited
from nodes.formats.json_text import write_json
from nodes.settings.files import safe_name
from nodes.settings.text import Text

_KINDS = {
    "json": ("application/json", "output.json"),
    "text": ("text/plain; charset=utf-8", "output.txt"),
    "markdown": ("text/markdown; charset=utf-8", "output.md"),
    "html": ("text/html; charset=utf-8", "output.html"),
    "csv": ("text/csv; charset=utf-8", "output.csv"),
}


class Config(NodeConfig):
    format: Literal["json", "text", "markdown", "html", "csv"] = Field(default="json", description="What is made.")
    template: Text | None = Field(
        default=None,
        description="The text, for text, markdown and html. In html every value put in is escaped.",
        json_schema_extra={"x-escape": "html", "x-escape-when": {"format": "html"}},
    )
    value: Any = Field(default=None, description="The value, for json and csv; what arrives if not given.")
    filename: Text = Field(default="", description="What a download is called.")
    as_file: bool = Field(default=False, description="Store the content as a file and hand on its id instead.")


def narrows(config: Config) -> Effect:
    """Only a file that is stored is anything outside."""
    return Effect.REPEATABLE if config.as_file else Effect.PURE


def sample(config: Config) -> dict[str, Any]:
    """As if the file had been stored."""
    media_type, filename = _KINDS[config.format]
    return {
        "file": "00000000-0000-7000-8000-000000000000",
        "media_type": media_type,
        "filename": safe_name(config.filename, filename),
        "size": 0,
    }


@node(
    "output-formatter",
    title="Format output",
    config=Config,
    effect=Effect.REPEATABLE,
    narrows=narrows,
    sample=sample,
)
def run(config: Config, step: Step) -> Outcome:
    """Writes JSON, text, Markdown, HTML or CSV, as a text or as a stored file."""
    media_type, usual = _KINDS[config.format]
    filename = safe_name(config.filename, usual)
    value = config.value if "value" in config.model_fields_set else step.input
    try:
        content = _content(config, value)
    except Unreadable as error:
        return Failed("rejected", f"value: {error.message}")
    if not config.as_file:
        return Done({"content": content, "media_type": media_type, "filename": filename})
    stored = content.encode()
    made = step.ports.files.store(filename, media_type, [stored], key=f"{step.key}/output")
    return Done({"file": made, "media_type": media_type, "filename": filename, "size": len(stored)})


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
