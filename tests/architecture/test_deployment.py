"""What a deployment stands on: production settings without a warning, and dependencies that are pinned by their hashes."""

from __future__ import annotations

import os
import re
import secrets
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.source import ROOT

REQUIREMENTS = sorted((ROOT / "requirements").glob("*.txt"))
_PIN = re.compile(r"[A-Za-z0-9_.-]+(\[[a-z,-]+\])?==[^\s;]+( ; .+)? \\")


def check(tmp_path: Path, **more: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AUTERITY_")} | {
        "DJANGO_SETTINGS_MODULE": "auterity.settings.prod",
        "AUTERITY_SECRET_KEY": secrets.token_urlsafe(48),
        "AUTERITY_VAULT_KEYS": secrets.token_urlsafe(48),
        "AUTERITY_ALLOWED_HOSTS": "app.example.com",
        "AUTERITY_PUBLIC_URL": "https://app.example.com",
        "AUTERITY_DATA_DIR": str(tmp_path),
        **more,
    }
    command = [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def test_production_settings_give_no_warning(tmp_path: Path) -> None:
    ran = check(tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert "no issues" in ran.stdout


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"AUTERITY_VAULT_KEYS": ""}, "vault.W001"),
        ({"AUTERITY_SECRET_KEY": "short"}, "AUTERITY_SECRET_KEY|W009"),
        ({"AUTERITY_DEBUG": "1"}, "AUTERITY_DEBUG must be off"),
    ],
)
def test_production_refuses_what_is_not_safe(tmp_path: Path, wrong: dict[str, str], told: str) -> None:
    ran = check(tmp_path, **wrong)
    assert ran.returncode != 0
    assert re.search(told, ran.stderr), ran.stderr[-500:]


@pytest.mark.parametrize("path", REQUIREMENTS, ids=lambda path: path.name)
def test_every_dependency_is_pinned_with_hashes(path: Path) -> None:
    """So `make audit` asks about exactly what is installed, and an index cannot hand out anything else."""
    lines = path.read_text().splitlines()
    pins = [at for at, line in enumerate(lines) if line and not line.startswith((" ", "#"))]
    assert pins
    for at in pins:
        assert _PIN.fullmatch(lines[at]), lines[at]
        assert lines[at + 1].strip().startswith("--hash=sha256:"), lines[at]


def test_the_audit_looks_at_every_file_of_them() -> None:
    recipe = (ROOT / "Makefile").read_text().partition("\naudit:")[2].partition(".PHONY")[0]
    assert "requirements/*.txt" in recipe
    assert "--require-hashes" in recipe


def test_the_threat_model_names_tests_and_modules_that_there_are() -> None:
    text = (ROOT / "docs" / "security" / "threat-model.md").read_text()
    named = {each for each in re.findall(r"`([\w/.*]+)`", text) if "/" in each or re.fullmatch(r"g\d\d_\w+", each)}
    paths = [each if "/" in each else f"tests/load/{each}.py" for each in named]
    assert len(paths) >= 30
    assert [each for each in paths if not list(ROOT.glob(each))] == []


def test_every_setting_of_the_environment_is_told_to_who_runs_it() -> None:
    read = set(re.findall(r'_read\.\w+\(\s*"([A-Z_]+)"', (ROOT / "auterity" / "env.py").read_text()))
    told = "".join(path.read_text() for path in (ROOT / "README.md", *(ROOT / "docs").rglob("*.md")))
    assert len(read) > 30
    assert sorted(name for name in read if not re.search(rf"\b{name}\b", told)) == []
