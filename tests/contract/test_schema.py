"""Thousands of requests made from the document's own schemas: no crash, and nothing answered that is not documented."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from pytest_httpserver import HTTPServer

from scripts import clients
from tests.contract.caller import Caller
from tests.contract.player import EDITIONS, NEWEST
from tests.contract.product import product
from tests.contract.stages import World

HERE = Path(__file__).parent
# Requests that fuzzing makes for each operation, beside those that the schema's every corner asks for. `make fuzz` makes many.
LONG = int(os.environ.get("AUTERITY_FUZZ", "0"))


@pytest.fixture(scope="module")
def world(outside: HTTPServer) -> Iterator[World]:
    """A product of its own: what comes at random also changes roles and ends logins, which others of this process need."""
    with (
        product(OPENAI_API_KEY="sk-stage", OPENAI_BASE_URL=outside.url_for("/v1")) as served,
        httpx2.Client(base_url=served.url, timeout=40) as client,
    ):
        yield World(served, served.people, outside, client)


@pytest.mark.timeout(7200 if LONG else 600)
@pytest.mark.parametrize("edition", [EDITIONS[0], NEWEST] if LONG else EDITIONS[:1])
def test_schemathesis_finds_nothing(
    contract_tools: None, world: World, edition: str, tmp_path: Path, record_property: Callable[[str, int], None]
) -> None:
    report = tmp_path / "report.json"
    command: list[str | Path] = [clients.BINARIES / "schemathesis", "--config-file", HERE / "schemathesis.toml", "run"]
    command += [f"{world.product.url}/openapi.json", "--generation-deterministic", "--workers", "2"]
    command += ["--phases", "examples,coverage,fuzzing,stateful", "--max-examples", str(LONG or 2), "--no-color"]
    command += ["--suppress-health-check", "all", "--report", "json", "--report-json-path", report]
    told = subprocess.run(
        command,
        cwd=tmp_path,
        env={
            **os.environ,
            "SCHEMATHESIS_HOOKS": "schemathesis_checks",
            "PYTHONPATH": str(HERE),
            "AUTERITY_TOKEN": world.people["admin"]["token"],
            "AUTERITY_SPARE_TOKEN": _spare(world),
            "AUTERITY_EDITION": edition,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert report.exists(), (told.stdout + told.stderr)[-4000:]
    found: dict[str, Any] = json.loads(report.read_text())
    record_property("contract requests of Schemathesis", found["test_cases"]["generated"])
    assert (found["failures"], found["errors"]) == ([], []), told.stdout[-12000:]
    assert found["operations"]["tested"] == found["operations"]["total"] == len(world.served)
    assert found["test_cases"]["generated"] > 20 * len(world.served)


def _spare(world: World) -> str:
    """Another login of the same admin, for the operations that end one."""
    body = {"email": world.people["admin"]["email"], "password": world.people["password"]}
    return str(Caller(world.client).made("/api/auth/login", body)["access_token"])
