"""Node types are found the way the product finds them."""

from engine.registry import discover

discover("nodes")
