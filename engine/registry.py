"""The node types there are, found by looking into a package, never by a list somebody must edit."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from typing import TYPE_CHECKING

from engine.nearest import nearest

if TYPE_CHECKING:
    from engine.node import NodeType


class DuplicateNode(Exception):
    """Two node types claim one name. Raised at start-up."""


class UnknownNode(KeyError):
    """No node type has this name. The message offers the nearest ones."""

    def __init__(self, name: str, known: list[str]) -> None:
        near = nearest(name, known, count=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}?" if near else f"the types are {', '.join(known)}"
        super().__init__(name)
        self.message = f"'{name}' is not a node type; {hint}"


class NodeRegistry:
    def __init__(self) -> None:
        self._by_name: dict[str, NodeType] = {}
        self._types: list[NodeType] = []

    def add(self, node_type: NodeType) -> None:
        for name in (node_type.name, *node_type.aliases):
            if name in self._by_name:
                raise DuplicateNode(f"The node type '{name}' is registered twice.")
        for name in (node_type.name, *node_type.aliases):
            self._by_name[name] = node_type
        self._types.append(node_type)

    def get(self, name: str) -> NodeType:
        """By name or alias. Raises `UnknownNode`."""
        try:
            return self._by_name[name]
        except KeyError:
            raise UnknownNode(name, sorted(self._by_name)) from None

    def __iter__(self) -> Iterator[NodeType]:
        return iter(sorted(self._types, key=lambda each: each.name))

    def __len__(self) -> int:
        return len(self._types)


NODES = NodeRegistry()


def discover(package: str) -> None:
    """Import every module of a package, so that each registers its node type."""
    root = importlib.import_module(package)
    for module in pkgutil.iter_modules(root.__path__):
        importlib.import_module(f"{package}.{module.name}")
