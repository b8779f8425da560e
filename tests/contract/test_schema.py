"""Thousands of requests made from the documents' own schemas: no crash, and nothing answered that is not documented."""

from __future__ import annotations

import json
import os
import subprocess
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from pytest_httpserver import HTTPServer

from scripts import clients
from tests.contract.caller import Caller
from tests.contract.contracts import CONTRACTS
from tests.contract.product import outside_settings, product
from tests.contract.world import World
from tests.identity.provider import Provider

HERE = Path(__file__).parent
DOCUMENTS = HERE.parents[1] / "docs" / "openapi"
PASSWORD = "correct horse 9"
# Requests that fuzzing makes for each operation, beside those that the schema's every corner asks for. `make fuzz` makes many.
LONG = int(os.environ.get("AUTERITY_FUZZ", "0"))
ROLES = ("admin", "member", "viewer")
SHOWN = {"member": "user"}  # as 000 calls them
# The short form plays each document once, so that every role is among them.
SHORT = {"auterity": "admin", "business": "viewer", "orchestrator": "member", "workflow_engine": "admin"}
RUNS = [
    pytest.param(name, edition, role, id="-".join(part for part in (name, edition, role) if part))
    for name, contract in CONTRACTS.items()
    for edition in (contract.editions if LONG else (contract.first_edition,))
    if not contract.editions[edition].get("flat")  # A difference of answers only.
    for role in (ROLES if LONG else (SHORT[name],))
]


@pytest.fixture(scope="module")
def world(outside: HTTPServer, google: Provider) -> Iterator[World]:
    """A product of its own: what comes at random also fills it with thousands of rows."""
    with (
        product(**outside_settings(outside, google)) as served,
        httpx2.Client(base_url=served.url, timeout=40) as client,
    ):
        yield World(served, served.people, outside, google, client)


@pytest.fixture
def people(world: World) -> dict[str, tuple[str, str, str]]:
    """Of each role somebody to play, and two in another organization: a spare one for what ends logins and takes people out, and
    one who leaves. What comes at random changes roles, too."""
    here, elsewhere = (_organization(Caller(world.client)) for _ in range(2))
    return {role: (_member(here, role), _member(elsewhere, role), _member(elsewhere, role)) for role in ROLES}


@pytest.mark.timeout(7200 if LONG else 600)
@pytest.mark.parametrize(("name", "edition", "role"), RUNS)
def test_schemathesis_finds_nothing(
    contract_tools: None,
    world: World,
    people: dict[str, tuple[str, str, str]],
    name: str,
    edition: str,
    role: str,
    tmp_path: Path,
    record_property: Callable[[str, int], None],
) -> None:
    report = tmp_path / "report.json"
    first, spare, leaving = (_login(Caller(world.client), email) for email in people[role])
    command: list[str | Path] = [clients.BINARIES / "schemathesis", "--config-file", HERE / "schemathesis.toml", "run"]
    command += [DOCUMENTS / f"{name}.json", "--url", world.product.url, "--generation-deterministic", "--workers", "2"]
    command += ["--phases", "examples,coverage,fuzzing,stateful", "--max-examples", str(LONG or 2), "--no-color"]
    command += ["--suppress-health-check", "all", "--report", "json", "--report-json-path", report]
    told = subprocess.run(
        command,
        cwd=tmp_path,
        env={
            **os.environ,
            "SCHEMATHESIS_HOOKS": "schemathesis_checks",
            "PYTHONPATH": str(HERE),
            "AUTERITY_TOKEN": first,
            "AUTERITY_SPARE_TOKEN": spare,
            "AUTERITY_LEAVING_TOKEN": leaving,
            "AUTERITY_EDITION": edition or "2024-01-15",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert report.exists(), (told.stdout + told.stderr)[-4000:]
    found: dict[str, Any] = json.loads(report.read_text())
    record_property(f"contract requests of Schemathesis over {name} as {role}", found["test_cases"]["generated"])
    assert (found["failures"], found["errors"]) == ([], []), told.stdout[-12000:]
    tested = found["operations"]["tested"]
    assert tested == found["operations"]["total"] > 0
    assert found["test_cases"]["generated"] > 10 * tested
    # Else the last part of it only asked whether the door is closed.
    me = Caller(world.client, first).call("GET", "/api/auth/me")
    assert SHOWN.get(role, role) in me.json().get("roles", ()), me.text


def _organization(nobody: Caller) -> Caller:
    """A new one, by its founder."""
    founder = _person()
    nobody.made("/api/auth/register", founder | {"company": "Fuzzed Motors"})
    return Caller(nobody.client, _login(nobody, founder["email"]))


def _member(admin: Caller, role: str) -> str:
    person = _person()
    admin.made("/api/organizations/current/members", {**person, "roles": [role]})
    return person["email"]


def _person() -> dict[str, str]:
    return {
        "email": f"{uuid.uuid4().hex[:12]}@example.com",
        "password": PASSWORD,
        "first_name": "Ann",
        "last_name": "Ames",
    }


def _login(nobody: Caller, email: str) -> str:
    """A token for a day: the long form takes longer than others live."""
    return str(nobody.made("/v1/auth/login", {"email": email, "password": PASSWORD})["access_token"])
