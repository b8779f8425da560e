"""Checks that node types make when a workflow is saved, and once more, on the rendered values, when the step runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from engine.node import NodeConfig

Problems = list[tuple[str, str]]
"""Pairs of (field, sentence)."""


def not_yet(config: NodeConfig, sentences: Mapping[str, str]) -> Problems:
    """A problem for each setting that is given although this build cannot follow it. `sentences` says why, by field."""
    return [(name, sentence) for name, sentence in sentences.items() if _given(getattr(config, name))]


def named_workflow(given: str) -> str:
    """What is wrong with a text that names a workflow; nothing of one that is still to be filled in."""
    try:
        if "{{" not in given:
            UUID(given)
    except ValueError:
        return f"'{given[:60]}' is not the id of a workflow."
    return ""


def _given(value: Any) -> bool:
    return value is not None and value not in ("", [], {})
