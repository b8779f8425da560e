"""Who may import whom, what modules are called, and how large they are."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from auterity.kernel import events
from auterity.kernel.events import Event
from tests.architecture.source import APPS, PACKAGES, ROOT, modules

NAMELESS = {"utils", "util", "helpers", "helper", "common", "misc", "tools", "stuff", "shared", "lib"}
RESERVED_IN_EVERY_APP = ("__init__.py", "apps.py", "migrations/__init__.py", "models.py", "selectors.py", "services.py")


def test_the_import_contracts_hold() -> None:
    """`make check` runs it too; here it says which contract broke."""
    command = Path(sys.executable).with_name("lint-imports")
    ran = subprocess.run([command, "--no-cache"], cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_every_package_is_under_the_contracts() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    line = next(each for each in text.splitlines() if each.startswith("root_packages"))
    assert {each.strip(' "') for each in line.partition("[")[2].rstrip("]").split(",")} == set(PACKAGES)
    found = {each.parent.name for each in ROOT.glob("*/__init__.py")} - {"tests", "scripts"}
    assert found == set(PACKAGES)


def test_no_module_is_named_after_nothing() -> None:
    parts = {part for path in modules() for part in Path(path).with_suffix("").parts}
    assert parts & NAMELESS == set()


def test_no_module_is_long() -> None:
    lengths = {path: len((ROOT / path).read_text().splitlines()) for path in modules()}
    assert {path: length for path, length in lengths.items() if length >= 400} == {}


@pytest.mark.parametrize("app", APPS)
def test_every_app_has_the_same_files(app: str) -> None:
    assert [each for each in RESERVED_IN_EVERY_APP if not (ROOT / app / each).exists()] == []


def test_the_shell_and_the_packages_with_code_in_them_stay_importable_without_django() -> None:
    """`auterity/__init__.py` stays empty, else every import loads Celery; the engine and its nodes are pure."""
    assert (ROOT / "auterity" / "__init__.py").read_text() == ""
    program = (
        "import sys, engine.graph, nodes.start; sys.exit(any(each.split('.')[0] == 'django' for each in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT, timeout=60, check=False).returncode == 0


def test_a_server_starts_without_what_few_requests_need() -> None:
    """Each of these takes longer to load than a request to be answered, and is loaded by the first that needs it."""
    late = ("webauthn", "openai", "openpyxl", "pypdf", "sqlglot", "celery", "segno")
    code = f"import sys, auterity.asgi, auterity.urls; print(*[each for each in {late} if each in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []


def test_every_fact_that_is_told_is_heard() -> None:
    """A fact without a listener is a feature that somebody believes in and nobody has."""
    own = [each for each in Event.__subclasses__() if not each.__module__.startswith("tests.")]
    found = [
        each for each in own if getattr(sys.modules[each.__module__], each.__name__) is each
    ]  # Slots make a class anew.
    assert len(found) > 20
    assert [each.__name__ for each in found if not events._listeners[each]] == []
