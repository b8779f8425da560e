"""Checks that node types make when a workflow is saved, and once more, on the rendered values, when the step runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.node import NodeConfig

Problems = list[tuple[str, str]]
"""Pairs of (field, sentence)."""


def not_yet(config: NodeConfig, sentences: Mapping[str, str]) -> Problems:
    """A problem for each setting that is given although this build cannot follow it. `sentences` says why, by field."""
    return [(name, sentence) for name, sentence in sentences.items() if _given(getattr(config, name))]


def _given(value: Any) -> bool:
    return value is not None and value not in ("", [], {})
