"""YAML from strangers and for people: only what JSON can say, read from the parser's events, and written the same every time.

Not one tag, anchor or alias is followed, so nothing is built but text, numbers, lists and maps, and nothing grows while it is
read. What is written reads back as the same value here and in any other reader.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from math import isfinite
from typing import Any

import orjson
import yaml

MAX_BYTES = 5 * 1024 * 1024
MAX_DEPTH = 64
MAX_EVENTS = 1_000_000  # values and brackets

_Reader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_Base: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)

_WORDS = {"true": True, "false": False, "null": None, "~": None, "": None}
_WORDS |= {word.title(): value for word, value in _WORDS.items()} | {
    word.upper(): value for word, value in _WORDS.items()
}
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?[0-9]+\.[0-9]*(?:[eE][-+][0-9]+)?")
_LONGEST = 40  # characters of a number
_TEXT = "tag:yaml.org,2002:str"


class UnreadableYaml(ValueError):
    """The text is no YAML, or says more than JSON can. The message has the line, where there is one."""


class _Writer(_Base):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def _write_text(writer: Any, text: str) -> Any:
    """Texts of several lines as a block, which people can read and edit."""
    block = "\n" in text and not re.search(r"[ \t]\n|^\s|\s\s$|\r|[^\S\n]$", text)
    return writer.represent_scalar(_TEXT, text, style="|" if block else None)


_Writer.add_representer(str, _write_text)


def write_yaml(value: Any) -> str:
    """A JSON value as YAML, in the order of its keys; the same value gives the same bytes."""
    text: str = yaml.dump(
        value, Dumper=_Writer, allow_unicode=True, sort_keys=False, default_flow_style=False, width=10_000
    )
    return text


def read_yaml(text: str) -> Any:
    """The value of one YAML document, made of JSON's kinds only. Raises `UnreadableYaml`."""
    if len(text.encode("utf-8", "replace")) > MAX_BYTES:
        raise UnreadableYaml(f"A document may have {MAX_BYTES:,} bytes.")
    try:
        value = _document(_bounded(yaml.parse(text, Loader=_Reader)))
        orjson.dumps(value)
    except yaml.YAMLError as error:
        raise UnreadableYaml(_told(error)) from error
    except (TypeError, ValueError, RecursionError) as error:
        if isinstance(error, UnreadableYaml):
            raise
        raise UnreadableYaml(f"This holds a value that JSON cannot carry: {error}.") from error
    return value


# -- inside ----------------------------------------------------------------------------------------------------------


def _document(events: Iterator[Any]) -> Any:
    value: Any = None
    documents = 0
    for event in events:
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1:
                raise _refused(event, "only one document is read")
            value = _value(next(events), events, 0)
    return value


def _bounded(events: Iterator[Any]) -> Iterator[Any]:
    for count, event in enumerate(events):
        if count > MAX_EVENTS:
            raise _refused(event, f"a document may hold {MAX_EVENTS:,} values")
        yield event


def _value(event: Any, events: Iterator[Any], depth: int) -> Any:
    if depth > MAX_DEPTH:
        raise _refused(event, f"maps and lists are nested more than {MAX_DEPTH} deep")
    if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
        raise _refused(event, "anchors and aliases (& and *) are not read; write the value out")
    if getattr(event, "tag", None) is not None:
        raise _refused(event, "tags (!) are not read")
    if isinstance(event, yaml.ScalarEvent):
        return _scalar(event)
    if isinstance(event, yaml.SequenceStartEvent):
        found = []
        while not isinstance(each := next(events), yaml.SequenceEndEvent):
            found.append(_value(each, events, depth + 1))
        return found
    return _map(event, events, depth)


def _map(event: Any, events: Iterator[Any], depth: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    while not isinstance(key := next(events), yaml.MappingEndEvent):
        if not isinstance(key, yaml.ScalarEvent) or key.anchor or key.tag is not None:
            raise _refused(key, "a key must be plain text")
        if key.value in found:
            raise _refused(key, f"the key '{key.value[:100]}' is given twice")
        found[key.value] = _value(next(events), events, depth + 1)
    return found


def _scalar(event: Any) -> Any:
    text: str = event.value
    if not event.implicit[0] or event.style in ("'", '"', "|", ">"):
        return text
    if text in _WORDS:
        return _WORDS[text]
    if not (_INTEGER.fullmatch(text) or _FLOAT.fullmatch(text)):
        return text
    if len(text) > _LONGEST or not isfinite(number := float(text)):
        raise _refused(event, "this number is too large; quote it if it is a text")
    return int(text) if _INTEGER.fullmatch(text) else number


def _refused(event: Any, why: str) -> UnreadableYaml:
    mark = event.start_mark
    return UnreadableYaml(f"Line {mark.line + 1}, column {mark.column + 1}: {why}.")


def _told(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = str(getattr(error, "problem", None) or "this is no YAML").rstrip(".")
    return f"Line {mark.line + 1}, column {mark.column + 1}: {problem}." if mark is not None else f"{problem}."
