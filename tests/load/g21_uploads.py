"""G21: hostile files, by content and by name, go to everything that takes a file. Nothing lands outside the folder of
files, nothing that lands keeps a name of theirs, and none is ever served as a page. `python -m tests.load.g21_uploads [--short]`
"""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.load.gates import Figures
from tests.load.servers import stand_alone

MARK = "hostile-upload-marker"
NAMES = [
    "../../x.csv", "..\\..\\x.csv", "/etc/cron.d/x.csv", "C:\\x.csv", "....//x.csv", "%2e%2e%2fx.csv", "x.csv/", "x.csv/.",
    ".htaccess.csv", "~/x.csv", "x\r\nSet-Cookie: a=b.csv", "\u202evsc.exe.csv", "a" * 3000 + ".csv", "con.csv", "x.csv;.php",
    "x.csv%00.php.csv", "$(id).csv", "`id`.csv", "|id.csv", "<img src=x onerror=alert(1)>.csv", "=cmd|calc.csv", "file:///x.csv",
]  # fmt: skip
Target = Callable[[Any, str, bytes, str], Any]


def measure(short: bool) -> Figures:
    from django.conf import settings
    from django.test import override_settings

    from tests.api.people import founder
    from tests.artefacts.test_file_uploads import HOSTILE

    with tempfile.TemporaryDirectory(prefix="uploads-") as folder:
        root = Path(folder) / "root" / "files"
        root.mkdir(parents=True)
        watched = [Path(folder), Path.cwd(), Path(settings.STATIC_ROOT)]
        before = {each: _names(each, root) for each in watched}
        with override_settings(ARTEFACTS={**settings.ARTEFACTS, "folder": root}):
            person = founder(f"uploads-{time.time_ns()}@example.com", "Upload Motors")
            statuses, taken, served = _tried(person, HOSTILE)
        outside = sorted(str(name) for place in watched for name in _names(place, root) - before[place])
        named = [
            each.name for each in root.rglob("*") if each.is_file() and not re.fullmatch(r"[0-9a-f]{32}", each.name)
        ]
    crashed = [each for each in statuses if each[2] >= 500]
    return {
        "files": len(HOSTILE) + len(NAMES), "targets": len(targets()), "tries": len(statuses), "taken": len(taken),
        "hostile_taken": [each for each in taken if each in HOSTILE], "outside": outside[:5], "named_by_them": named[:5],
        "served_badly": served[:5], "crashed": crashed[:5],
        "passed": not (outside or named or served or crashed or [each for each in taken if each in HOSTILE])
        and len(HOSTILE) + len(NAMES) >= 25 and len(taken) >= len(NAMES) // 2,
    }  # fmt: skip


def _tried(person: Any, hostile: Any) -> tuple[list[tuple[str, str, int]], list[str], list[str]]:
    statuses, taken, served = [], [], []
    rows = f"a,b\n1,{MARK}\n".encode()
    files = {name: (each[0], each[1], each[2]) for name, each in hostile.items()}
    files |= {name[:60]: (name, rows, "text/csv") for name in NAMES}
    for place, target in targets().items():
        for name, (called, content, media) in files.items():
            answer = target(person, called, content, media)
            statuses.append((place, name, answer.status_code))
            if place == "files" and answer.status_code == 201:
                taken.append(name)
                served += _served(person, name, answer.json()["id"])
    return statuses, taken, served


def _served(person: Any, name: str, file_id: str) -> list[str]:
    """As an attachment under a harmless name, and never guessed at."""
    answer = person.api.get(f"/api/files/{file_id}/content")
    how = answer.headers.get("Content-Disposition", "")
    good = (
        how.startswith("attachment")
        and answer.headers.get("X-Content-Type-Options") == "nosniff"
        and "sandbox" in answer.headers.get("Content-Security-Policy", "")
        and "html" not in answer.headers.get("Content-Type", "")
        and not re.search(r"[\r\n\u202e]|\.\./", how)
    )
    return [] if good else [f"{name}: {how} {answer.headers.get('Content-Type')}"]


def targets() -> dict[str, Target]:
    """Everything that takes a file, and things that must not."""
    return {
        "files": _file,
        "a form": _form,
        "an import": lambda person, *file: _sent(person, "/api/workflows/import", *file),
        "a webhook": lambda person, *file: _sent(person, "/api/workflows", *file),
        "a preview": lambda person, called, *_rest: person.api.post(
            "/api/templates",
            {"name": "T", "definition": {"nodes": [], "edges": []}, "preview_image": f"file:{called[:1000]}"},
        ),
    }


def _file(person: Any, called: str, content: bytes, media: str) -> Any:
    return _sent(person, "/api/files", called, content, media)


def _sent(person: Any, path: str, called: str, content: bytes, media: str) -> Any:
    from tests.artefacts.uploads import MEDIA, body, part

    quoted = called.replace("\\", "\\\\").replace('"', '\\"').replace("\r\n", "%0D%0A")
    raw = body(part(content, f'name="file"; filename="{quoted}"', media))
    return person.api.post(path, raw=raw, media=MEDIA)


def _form(person: Any, called: str, content: bytes, media: str) -> Any:
    from django.core.files.uploadedfile import SimpleUploadedFile
    from django.test import Client

    from tests.executions.support import flow, save

    if not hasattr(person, "form"):
        fields = [{"name": "licence", "label": "Licence", "type": "file", "required": True}]
        config = {"title": "Apply", "who": "public", "fields": fields}
        person.form = save(person.actor, flow({"form": ("form-input", config), "b": "start"}, "form > b")).id
    handed = SimpleUploadedFile("x", content, media or "application/octet-stream")
    handed._name = called  # Django would make the name harmless before it is sent.
    return Client(raise_request_exception=False).post(f"/forms/{person.form}/form", {"licence": handed})


def _names(folder: Path, root: Path) -> set[Path]:
    skipped = {
        ".git",
        ".venv",
        ".venv-tools",
        ".mypy_cache",
        ".ruff_cache",
        ".pytest_cache",
        "__pycache__",
        ".import_linter_cache",
    }
    found: set[Path] = set()
    waiting = [folder] if folder.is_dir() else []
    while waiting:
        for each in waiting.pop().iterdir():
            if each.name in skipped or each == root:
                continue
            found.add(each)
            if each.is_dir() and not each.is_symlink():
                waiting.append(each)
    return found


if __name__ == "__main__":
    stand_alone("g21_uploads", measure)
