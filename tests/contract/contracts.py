"""The contracts of the dialects, as data: a YAML file each, `<dialect>.yaml`, with more of it in `<dialect>.<part>.yaml`.

The head of `auterity.yaml` says how to read the operations, that of each file how its dialect answers and refuses.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.api.routes import routes
from tests.contract.kinds import Kinds

HERE = Path(__file__).parent
DIALECTS = ("auterity", "business", "orchestrator", "workflow_engine")
Operation = Mapping[str, Any]


@dataclass(frozen=True)
class Contract:
    """What the documents of one dialect promise.

    `editions` says of each how it refuses (the only edition of a dialect that has none is ""). `success` and `listing` are
    what stands around an answer and around a list; without them answers are bare. `later` is documented and not served yet,
    `own` is served beyond the documents.
    """

    name: str
    editions: Mapping[str, Mapping[str, Any]]
    kinds: Kinds
    operations: Mapping[str, Operation]
    sockets: Mapping[str, Operation]
    success: Any
    listing: Any
    later: frozenset[str]
    own: frozenset[str]

    @property
    def first_edition(self) -> str:
        return next(iter(self.editions))


def _read(name: str) -> Contract:
    files = [HERE / f"{name}.yaml", *sorted(HERE.glob(f"{name}.*.yaml"))]
    parts: list[dict[str, Any]] = [yaml.safe_load(each.read_text()) for each in files]
    head = parts[0]
    written = [each for part in parts for each in part["operations"]]
    later = {each["call"] for each in written if each.get("later")}
    return Contract(
        name=name,
        editions=head["editions"],
        kinds=Kinds({kind: what for part in parts for kind, what in part["types"].items()}),
        operations={each["id"]: each for each in written if not each.get("later")},
        sockets={each["id"]: each for part in parts for each in part.get("sockets", ())},
        success=head.get("success"),
        listing=head.get("listing"),
        later=frozenset(later.union(*(part.get("later", ()) for part in parts))),
        own=frozenset(each for part in parts for each in part.get("own", ())),
    )


CONTRACTS: Mapping[str, Contract] = {name: _read(name) for name in DIALECTS}


@cache
def served() -> Mapping[str, str]:
    """Every operation that the product serves, as `GET /api/workflows`, and the dialect that it belongs to."""
    found = [(re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", str(each)), each.view) for each in routes()]
    return {call: view.dialect.name for call, view in found if hasattr(view, "dialect")}
