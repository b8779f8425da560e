"""Every address of the product with every method it takes, read from the URL resolver."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver

METHODS = ("get", "post", "put", "patch", "delete")


@dataclass(frozen=True)
class Route:
    """`path` is as Django writes it: `/api/workflows/<uuid:workflow_id>`."""

    method: str
    path: str
    view: Any

    @property
    def has_slot(self) -> bool:
        return "<" in self.path

    @property
    def takes_no_body(self) -> bool:
        operation = getattr(getattr(self.view, self.method.lower()), "operation", None)
        return operation is not None and operation.body is None

    def filled(self, identity: object) -> str:
        """The address with this id in every slot for one, and 1 in every slot for a number."""
        return re.sub(r"<uuid:\w+>", str(identity), re.sub(r"<int:\w+>", "1", self.path))

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def routes() -> list[Route]:
    """Without the operators' site, which has a door of its own."""
    found = [each for each in _walk(get_resolver(), "/") if not each.path.startswith("/admin")]
    return sorted(found, key=str)


def _walk(resolver: URLResolver, prefix: str) -> Iterator[Route]:
    for each in resolver.url_patterns:
        path = f"{prefix}{each.pattern}"
        if isinstance(each, URLResolver):
            yield from _walk(each, path)
        elif isinstance(each, URLPattern) and hasattr(each.callback, "cls"):
            view = each.callback.cls
            yield from (Route(method.upper(), path, view) for method in METHODS if hasattr(view, method))
