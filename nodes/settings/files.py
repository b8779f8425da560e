"""Stored files as settings name them, and names that a file may have."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator

from engine.expression_values import as_text

MIB = 1024 * 1024
_NO_FILENAME = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069/\\:*?\"<>|]+")
_MEDIA_TYPE = re.compile(r"[a-z0-9][a-z0-9.+-]{0,60}/[a-z0-9][a-z0-9.+-]{0,90}")
_KEYS = ("artefact", "file")  # where the outputs of nodes have the id of a file


def file_id(given: Any) -> str:
    """The id in a text, or in a step's output that has one under `artefact` or `file`; "" where there is none."""
    if isinstance(given, Mapping):
        given = next((given[key] for key in _KEYS if isinstance(given.get(key), str)), None)
    return "" if given is None else as_text(given).strip()


def names_a_file(given: Any) -> bool:
    """Whether a value is a map that names a stored file, such as {"file": "…"}."""
    return isinstance(given, Mapping) and any(isinstance(given.get(key), str) for key in _KEYS)


def _ids(given: Any) -> Any:
    several = given if isinstance(given, list) else [given]
    return [found for found in map(file_id, several) if found]


FileIds = Annotated[list[str], BeforeValidator(_ids)]
"""Stored files by id, or outputs of steps that made one. Nothing, where a template gave null, is left out."""


def safe_name(name: str, otherwise: str = "") -> str:
    """A name without folders and without signs that headers or file systems read otherwise; at most 150 characters."""
    shown = _NO_FILENAME.sub("_", name.strip()).strip(". ")
    if len(shown) > 150:
        stem, dot, extension = shown.rpartition(".")
        shown = stem[: 149 - len(extension)] + dot + extension if dot and len(extension) < 10 else shown[:150]
    return shown or otherwise


def media_type_of(said: str) -> str:
    """The bare media type of a header; application/octet-stream where it is none."""
    bare = said.partition(";")[0].strip().lower()
    return bare if _MEDIA_TYPE.fullmatch(bare) else "application/octet-stream"
