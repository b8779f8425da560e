"""The product's own source, read as syntax trees."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = (
    "accounts",
    "ai",
    "api",
    "artefacts",
    "audit",
    "auterity",
    "devices",
    "engine",
    "executions",
    "identity",
    "integrations",
    "monitoring",
    "native",
    "nodes",
    "notifications",
    "preferences",
    "security",
    "privacy",
    "templates_app",
    "vault",
    "workflows",
)
APPS = (
    "accounts",
    "ai",
    "artefacts",
    "audit",
    "devices",
    "executions",
    "identity",
    "integrations",
    "monitoring",
    "native",
    "notifications",
    "preferences",
    "security",
    "privacy",
    "templates_app",
    "vault",
    "workflows",
)


@cache
def modules() -> dict[str, ast.Module]:
    """Every module outside `migrations`, by its path from the root."""
    found = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            if "migrations" not in path.parts:
                found[str(path.relative_to(ROOT))] = ast.parse(path.read_text(), str(path))
    return found


def imports(tree: ast.Module) -> Iterator[str]:
    """Every dotted name that a module imports, inside functions too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{each.name}" for each in node.names)


def attributes(tree: ast.Module) -> Iterator[str]:
    yield from (node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute))
