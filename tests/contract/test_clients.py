"""The clients that are generated from the document work against the served product, in Python and in TypeScript.

What they need from outside was brought by `make contract`; these tests open nothing but the product.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from scripts import clients
from tests.contract.product import Product

pytestmark = pytest.mark.timeout(600)  # The first of them waits for the product.

TOLD = {
    "refused": "AUTH_001",
    "email": True,
    "status": "completed",
    "output": {"total": 42},
    "steps": ["start", "total"],
    "lines": True,
    "executions": 1,
    "listed": ["Totals"],
    "missing": "WF_001",
}


@pytest.fixture(scope="module")
def generated(contract_tools: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clients")
    clients.generate(folder)
    return folder


def run(*command: str | Path, cwd: Path, **environment: str) -> str:
    done = subprocess.run(
        command, cwd=cwd, env={**os.environ, **environment}, capture_output=True, text=True, check=False, timeout=100
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    return done.stdout


def test_the_python_client_goes_the_whole_way(generated: Path, served: Product) -> None:
    program = clients.SOURCES / "python" / "journey.py"
    told = run(clients.BINARIES / "python", program, served.url, cwd=generated, PYTHONPATH=str(generated / "python"))
    assert json.loads(told) == TOLD


def test_the_typescript_client_compiles_strictly_and_goes_the_whole_way(generated: Path, served: Product) -> None:
    folder = generated / "typescript"
    shutil.copy(clients.SOURCES / "typescript" / "journey.ts", folder)
    run(clients.node(), clients.MODULES / "typescript" / "bin" / "tsc", "--project", folder, cwd=folder)
    assert json.loads(run(clients.node(), folder / "out" / "journey.js", served.url, cwd=folder)) == TOLD


def test_the_types_are_not_taken_for_granted(generated: Path) -> None:
    """A program that misuses an answer does not compile: the types say more than `any`."""
    folder = generated / "typescript"
    wrong = folder / "wrong.ts"
    wrong.write_text(
        'import { auterity } from "./client.js";\n'
        'const read = await auterity("").GET("/api/workflows/{workflow_id}", { params: { path: { workflow_id: "" } } });\n'
        "export const name: number | undefined = read.data?.name;\n"
        'export const lost = await auterity("").GET("/api/no-such-thing", {});\n'
    )
    compiler = clients.MODULES / "typescript" / "bin" / "tsc"
    command = [clients.node(), compiler, "--noEmit", "--project", folder]
    said = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=100).stdout
    wrong.unlink()
    assert [int(line) for line in re.findall(r"wrong\.ts\((\d+),", said)] == [3, 4]


def test_every_operation_is_in_both_clients(generated: Path) -> None:
    document: dict[str, Any] = json.loads(clients.DOCUMENT.read_text())
    names = {each["operationId"] for item in document["paths"].values() for each in item.values()}
    modules = {each.stem for each in (generated / "python" / "auterity_client" / "api").glob("*/*.py")}
    assert names <= modules
    types = (generated / "typescript" / "schema.d.ts").read_text()
    assert {name for name in names if f"\n    {name}: {{" in types} == names
