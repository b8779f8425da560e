"""The peers' packages, installed by the registries' ordinary clients, each into a folder of its own under .data/peers."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.load.machine import ROOT

FOLDER = ROOT / ".data" / "peers"
UV = ROOT / ".venv-tools" / "bin" / "uv"
SECONDS = 1800  # n8n is more than a gigabyte


class Absent(Exception):
    """A peer that cannot be had or started here, and why."""


def python_environment(name: str, *packages: str) -> Path:
    """The folder of the executables of a virtual environment with these packages."""

    def install(folder: Path) -> None:
        run([str(UV), "venv", "-q", "--clear", "--python", sys.executable, str(folder)])
        run([str(UV), "pip", "install", "-q", "--python", str(folder / "bin" / "python"), *packages])

    return once(name, " ".join(packages), install) / "bin"


def node_modules(name: str, *packages: str, before: str = "") -> Path:
    """The folder `node_modules` with these packages, as they were before a date. Their install scripts are not run."""

    def install(folder: Path) -> None:
        if shutil.which("npm") is None:
            raise Absent("there is no npm on this machine")
        flags = ["--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline", "--loglevel", "error"]
        flags += [f"--before={before}"] if before else []
        (folder / "package.json").write_text('{"private": true}\n')
        run(["npm", "install", *flags, *packages], folder)

    return once(name, " ".join(filter(None, [*packages, before])), install) / "node_modules"


def node(major: int) -> Path:
    """An executable Node.js of at least this version: the machine's, else one that is a package itself."""
    if found := shutil.which("node"):
        told = subprocess.run([found, "--version"], capture_output=True, text=True, check=True).stdout
        if int(told.lstrip("v").partition(".")[0]) >= major:
            return Path(found)
    kind = {"x86_64": "x64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    package = f"node-{sys.platform}-{kind}"
    return node_modules("node", f"{package}@{major}") / package / "bin" / "node"


def once(name: str, wanted: str, install: Callable[[Path], None]) -> Path:
    """The peer's folder, installed unless what is wanted is there already."""
    folder = FOLDER / name
    installed = folder / "installed"
    if not installed.exists() or installed.read_text() != wanted:
        print(f"Installing {wanted} into .data/peers/{name} (once) ...", flush=True)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        install(folder)
        installed.write_text(wanted)
    return folder


def run(command: list[str], folder: Path = ROOT, environment: dict[str, str] | None = None) -> str:
    """What a command prints. Raises Absent with its last words when it fails."""
    told = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=SECONDS
    )
    if told.returncode:
        words = f"{told.stdout}\n{told.stderr}".strip().splitlines()
        raise Absent(f"`{Path(command[0]).name} {command[1]}` failed: {' / '.join(words[-3:])[:400]}")
    return told.stdout


def plain_environment(**settings: str) -> dict[str, str]:
    """What a peer gets to see of this process's environment, with a home of its own."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TZ", "TMPDIR") if name in os.environ}
    home = FOLDER / "home"
    home.mkdir(parents=True, exist_ok=True)
    return {**kept, "HOME": str(home), "DO_NOT_TRACK": "1", **settings}
