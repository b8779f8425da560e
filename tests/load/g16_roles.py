"""G16: each operation is asked over HTTP as viewer, member, manager and admin, and as an API key with every permission; who is
not refused with 403 is compared with the committed table. `python -m tests.load.g16_roles [--short | --write]`

A table that changed on purpose is written anew with `--write`, and read by whoever reviews the change.
"""

from __future__ import annotations

import json
import sys
from functools import partial
from pathlib import Path
from typing import Any

from tests.load.asked import Asked, operations
from tests.load.estate import Estate, estate
from tests.load.gates import Figures
from tests.load.servers import stand_alone

GOLDEN = Path(__file__).resolve().parents[1] / "api" / "roles_and_operations.json"
ROLES = ("viewer", "member", "manager", "admin")
KEY = "key"


def measure(short: bool, write: bool = False) -> Figures:
    from django.test import override_settings

    with override_settings(RATE_LIMITS=False, ALLOWED_HOSTS=["*"]):
        found, crashed = table(estate("roles", roles=True))
    if write:
        GOLDEN.write_text(written(found))
    golden = json.loads(GOLDEN.read_text()) if GOLDEN.exists() else {}
    differing = sorted(name for name in found.keys() | golden.keys() if found.get(name) != golden.get(name))
    contrary = [name for name, about in found.items() if not _fits(about)]
    figures = {
        "operations": len(found), "asked": len(found) * (len(ROLES) + 1), "differing": differing,
        "opened_without_the_permission": contrary, "crashed": crashed,
    }  # fmt: skip
    return {**figures, "passed": not (differing or contrary or crashed) and len(found) >= 150}


def table(owner: Estate) -> tuple[dict[str, Any], list[str]]:
    """By operation what it needs and who is let in; and the operations that crashed."""
    from auterity.kernel.access import Permission
    from tests.api.people import Api

    everything = {"name": "Everything", "scopes": sorted(Permission)}
    key = Api(owner.owner.api.made("/api/organization/api-keys", everything)["key"])
    callers = {**{role: owner.people[role].api for role in ROLES}, KEY: key}
    found: dict[str, Any] = {}
    crashed = []
    for asked in operations():
        statuses = {name: _status(asked, owner, api) for name, api in callers.items()}
        found[str(asked)] = {
            "needs": asked.needs,
            "let_in": [name for name, status in statuses.items() if status != 403],
        }
        if asked.needs == "open":
            found[str(asked)]["let_in"] = "everybody"
        crashed += [f"{asked} as {name}" for name, status in statuses.items() if status == 500]
    return found, crashed


def written(found: dict[str, Any]) -> str:
    """One line an operation, so that a change is one line."""
    lines = [f"  {json.dumps(name)}: {json.dumps(about)}" for name, about in sorted(found.items())]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _status(asked: Asked, owner: Estate, api: Any) -> int:
    """Nothing of it is kept: the next one finds what this one found."""
    from django.db import transaction

    if asked.body is None:
        sent: dict[str, Any] = {}
    elif asked.media == "application/json":
        sent = {"body": asked.body}
    else:
        sent = {"raw": b"", "media": asked.media}
    block = transaction.atomic()
    block._from_testcase = True  # type: ignore[attr-defined]  # As Django's own tests do: what is durable may be inside.
    with block:
        answer = api.call(asked.method, asked.filled(owner.id_for), **sent)
        transaction.set_rollback(True)
    if answer.streaming:
        answer.getvalue()
    return int(answer.status_code)


def _fits(about: dict[str, Any]) -> bool:
    """Nobody is let in whose role lacks what is needed. A service may refuse more: one's own, or a manager's."""
    from auterity.kernel.access import ROLE_PERMISSIONS, Role, Scope

    if about["needs"] == "open":
        return True
    needed = set(about["needs"].split())
    if KEY in about["let_in"] and "person" in needed:
        return False
    needed -= {"person", "signed_in", *Scope}  # A scope asks nothing of a whole login.
    may = [role.value for role in Role if needed <= ROLE_PERMISSIONS[role]]
    return set(about["let_in"]) - {KEY} <= set(may)


if __name__ == "__main__":
    if "--write" in sys.argv:
        sys.argv.remove("--write")
        stand_alone("g16_roles", partial(measure, write=True))
    else:
        stand_alone("g16_roles", measure)
