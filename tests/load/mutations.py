"""`python -m tests.load.mutations [NAME ...]`: every guard of the engine is taken out once, and a test must notice.

Each mutation is a small replacement in a temporary copy of the tree; the test named beside it has to fail there, having passed
on the copy as it is. Prints a table and one JSON line. Takes minutes; not part of CI. `tests.load.security_mutations` does the
same with the guards of access and of secrets.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv", ".venv-tools", ".data", "__pycache__", "node_modules", ".mypy_cache", ".ruff_cache"
)
FENCE = "tests/executions/test_fence.py"


@dataclass(frozen=True, slots=True)
class Mutation:
    """In `file`, `old` (which must be there once) becomes `new`; `test` must then fail. Where a guard stands twice, `also` are
    the (file, old, new) of its other places."""

    name: str
    file: str
    old: str
    new: str
    test: str
    also: tuple[tuple[str, str, str], ...] = ()

    @property
    def changes(self) -> tuple[tuple[str, str, str], ...]:
        return ((self.file, self.old, self.new), *self.also)

    def misplaced(self, tree: Path) -> list[str]:
        """The files where it does not apply, because the text that it replaces is not there exactly once."""
        return [file for file, old, _ in self.changes if (tree / file).read_text().count(old) != 1]


MUTATIONS = [
    Mutation(
        "fence not checked by a commit", "executions/journal.py",
        "t.id = v.id AND t.fence = v.fence AND t.seq = v.old_seq", "t.id = v.id AND t.seq = v.old_seq", FENCE,
    ),
    Mutation(
        "sequence not checked by a commit", "executions/journal.py",
        "AND t.seq = v.old_seq AND t.status", "AND t.status", FENCE,
    ),
    Mutation(
        "an ended execution can be ended again", "executions/journal.py",
        "Execution.unscoped.filter(id=execution.id, status__in=LIVE).update(",
        "Execution.unscoped.filter(id=execution.id).update(",
        "tests/executions/test_ending.py tests/executions/test_fence.py tests/executions/test_desk.py",
    ),
    Mutation(
        "fence not raised by a claim", "executions/claims.py", "SET fence = fence + 1, attempts", "SET attempts", FENCE,
    ),
    Mutation(
        "lease not looked at by a claim", "executions/slots.py",
        'due = f"e.due_at IS NOT NULL AND e.due_at <= (SELECT {sql.now()}) AND e.attempts',
        'due = f"e.due_at IS NOT NULL AND e.attempts', FENCE,
        also=(
            (
                "executions/claims.py",
                'f"id IN {found} AND (due_at <= (SELECT {sql.now()}) OR parked_at IS NOT NULL)"', 'f"id IN {found}"',
            ),
        ),
    ),
    Mutation(
        "attempts not counted", "executions/claims.py", "attempts = attempts + 1, ", "",
        "tests/executions/test_poison.py tests/executions/test_fence.py",
    ),
    Mutation(
        "leases not renewed", "executions/claims.py", "mine = [each for each in fences if each not in lost]", "mine = []",
        "tests/executions/test_fence.py tests/executions/test_recovery.py",
    ),
    Mutation(
        "effect performed before its intent is committed", "executions/desk.py",
        "        held = self._commit(checkpoints)\n        for checkpoint in checkpoints:",
        "        [self._effects.submit(self._perform, job) for job in chain.from_iterable(jobs)]\n"
        "        held = self._commit(checkpoints)\n        jobs = []\n        for checkpoint in checkpoints:",
        "tests/executions/test_recovery.py tests/executions/test_desk.py tests/executions/test_fence.py",
    ),
    Mutation(
        "an interrupted unkeyed effect is done again", "executions/jobs.py",
        "looks = self.recovering and self.node.type.effect_of(self.config) is Effect.UNKEYED", "looks = False",
        "tests/executions/test_recovery.py tests/executions/test_effects.py",
    ),
    Mutation(
        "what came from outside ignored on release", "executions/journal.py",
        "WHEN t.signals <> v.signals THEN {sql.now()} ELSE {sql.later('v.delay')} END, \"",
        "ELSE {sql.later('v.delay')} END, \"", FENCE,
    ),
    Mutation(
        "a child run may be started twice", "executions/children.py",
        "        fresh = insert(rows, timeouts)\n",
        "        for each in rows:\n            each.parent_item = None\n        fresh = insert(rows, timeouts)\n",
        "tests/executions/test_child_runs.py",
    ),
    Mutation(
        "conflict on a child run not taken as done", "executions/accept.py", "\"ON CONFLICT DO NOTHING RETURNING",
        "\"RETURNING", "tests/executions/test_child_runs.py",
    ),
    Mutation(
        "a question is answered without its lock", "executions/questions.py",
        "OpenQuestion.unscoped.select_for_update().get(", "OpenQuestion.unscoped.get(",
        "tests/executions/test_waits.py",
    ),
    Mutation(
        "children not ended with their parent", "executions/journal.py",
        "        _end_children([execution.id])\n", "", "tests/executions/test_child_runs.py",
    ),
    Mutation(
        "a repeated commit counts as lost", "executions/journal.py",
        "return moved | _already(checkpoints, moved)", "return moved",
        "tests/executions/test_fence.py tests/executions/test_recovery.py",
    ),
    Mutation(
        "a moment stays due after it fired", "executions/schedules.py",
        "schedule.due_at = refused or following(rule, schedule.due_at, now)", "pass", "tests/executions/test_schedules.py",
    ),
    Mutation(
        "what was begun is not continued", "executions/active.py",
        "run = run_from(claim.steps, graph", "run = run_from([], graph", "tests/executions/test_kill.py",
    ),
]  # fmt: skip


def main(names: list[str], table: list[Mutation], gate: str) -> int:
    wanted = [each for each in table if not names or any(name in each.name for name in names)]
    rows, begun = [], time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mutations-") as folder:
        copy = Path(folder) / "tree"
        shutil.copytree(ROOT, copy, ignore=LEFT_OUT, symlinks=True)
        everything = " ".join(sorted({test for each in wanted for test in each.test.split()}))
        if unsound := failed(copy, everything, fresh=True):
            raise SystemExit(f"Without any mutation, {unsound} fails already.")
        for each in wanted:
            if astray := each.misplaced(copy):
                rows.append((each.name, f"does not apply: {', '.join(astray)}", each.test))
            else:
                for file, old, new in each.changes:
                    (copy / file).write_text((ROOT / file).read_text().replace(old, new))
                found = failed(copy, each.test)
                for file, _, _ in each.changes:
                    shutil.copyfile(ROOT / file, copy / file)
                rows.append((each.name, f"caught: {found}" if found else "NOT CAUGHT", each.test))
            print(f"  {rows[-1][0]:<50} {rows[-1][1]}", flush=True)
    caught = sum(result.startswith("caught") for _, result, _ in rows)
    figures = {
        "gate": gate, "passed": caught == len(rows), "mutations": len(rows), "caught": caught,
        "missed": [name for name, result, _ in rows if not result.startswith("caught")],
        "seconds": round(time.monotonic() - begun),
    }  # fmt: skip
    print(json.dumps(figures))
    return 0 if figures["passed"] else 1


def failed(tree: Path, tests: str, *, fresh: bool = False) -> str:
    """The first test that fails there, or nothing. A database is made once, and then used again."""
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(tree)}
    if not os.environ.get("DATABASE_URL"):
        environment.pop("DATABASE_URL", None)
    tests += " --create-db" if fresh else ""
    command = [sys.executable, "-m", "pytest", "-x", "-n", "0", "--timeout", "600", "--reuse-db", *tests.split()]
    ran = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, check=False)
    if ran.returncode == 0:
        return ""
    lines = [each for each in ran.stdout.splitlines() if each.startswith(("FAILED tests", "ERROR tests"))]
    return lines[0].split(" - ")[0].split("::")[-1] if lines else f"pytest ended with {ran.returncode}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], MUTATIONS, "mutations"))
