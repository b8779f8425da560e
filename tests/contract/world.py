"""What every play stands on: the product, the people in it, what answers for the outside, and values made when asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import httpx2
from pytest_httpserver import HTTPServer

from tests.contract.caller import Caller
from tests.contract.product import Product
from tests.identity.provider import Provider


@dataclass
class World:
    """`google` answers in Google's place."""

    product: Product
    people: dict[str, Any]
    outside: HTTPServer
    google: Provider
    client: httpx2.Client

    def caller(self, who: str) -> Caller:
        return Caller(self.client, self.people[who]["token"])


@dataclass
class Scene:
    """One play's own. A value is made when it is first asked for, by the method of its name."""

    world: World
    who: Caller
    known: dict[str, Any] = field(default_factory=dict)

    def value(self, name: str) -> Any:
        if name not in self.known:
            self.known[name] = getattr(self, f"a_{name}")()
        return self.known[name]

    def set(self, name: str) -> None:
        """Run `set_<name>`, or have the value of that name made: a stage named `workflow` has a `workflow_id`."""
        prepare = getattr(self, f"set_{name}", None)
        if prepare is not None:
            prepare()
        else:
            self.value(f"{name}_id")

    @property
    def nobody(self) -> Caller:
        return Caller(self.world.client)
