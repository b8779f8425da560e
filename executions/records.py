"""Steps, journal lines and questions as a worker holds them, and how many of them are written at once.

A run writes many small rows. These plain records cost a fraction of model instances, and go to PostgreSQL as one COPY a table.
The models in `executions.models` read the same rows.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import orjson
from django.db import connection

from auterity.kernel.models import uuid7
from engine.waiting import Answer
from executions import sql


@dataclass(slots=True)
class StepRow:
    """A step's record (`ExecutionStep`). `stored` is false until the insert is committed."""

    execution_id: UUID
    node_id: str
    node_name: str
    node_type: str
    status: str
    started_at: dt.datetime
    iteration: int = 0
    attempt: int = 1
    input_data: Any = None
    output_data: Any = None
    port: str = ""
    taken: list[str] | None = None
    error_code: str = ""
    error_message: str = ""
    completed_at: dt.datetime | None = None
    due_at: dt.datetime | None = None
    tokens: int = 0
    cost_usd: float = 0.0
    ai_ms: float = 0.0
    waits_for: str = ""
    state: Any = None
    effect: str = ""
    receipt: str = ""
    kept_from: UUID | None = None
    stored: bool = False


@dataclass(slots=True)
class Line:
    """A journal line (`ExecutionLog`), and a frame of the live stream."""

    id: UUID
    organization_id: UUID
    execution_id: UUID
    workflow_id: UUID
    seq: int
    kind: str
    level: str
    node_id: str | None
    message: str
    data: Any
    status: str
    progress: float
    created_at: dt.datetime


@dataclass(slots=True)
class QuestionRow:
    """An open question (`OpenQuestion`) with the answers it has so far."""

    organization_id: UUID
    execution_id: UUID
    workflow_id: UUID
    node_id: str
    reason: str
    title: str
    message: str
    fields: Any
    people: Any
    roles: Any
    public: bool
    not_author: bool
    event: str
    due_at: dt.datetime | None
    created_at: dt.datetime
    id: UUID = field(default_factory=uuid7)
    answers: list[Answer] = field(default_factory=list)


_STEP_JSON = frozenset({"input_data", "output_data", "taken", "state"})
_STEP_KEY = ("execution_id", "node_id", "iteration")
_STEP_NEW = tuple(name for name in StepRow.__slots__ if name != "stored")
_STEP_TYPES = {
    "execution_id": "uuid", "node_id": "text", "iteration": "int", "status": "text", "attempt": "int", "input_data": "text",
    "output_data": "text", "port": "text", "taken": "text", "error_code": "text", "error_message": "text",
    "completed_at": "timestamptz", "due_at": "timestamptz", "tokens": "int", "cost_usd": "numeric", "ai_ms": "float8",
    "waits_for": "text", "state": "text", "effect": "text", "receipt": "text",
}  # fmt: skip
_LINE_NEW = tuple(Line.__slots__)
_QUESTION_JSON = frozenset({"fields", "people", "roles"})
_QUESTION_NEW = tuple(name for name in QuestionRow.__slots__ if name != "answers")


def add_steps(rows: Sequence[StepRow]) -> None:
    """Insert in this order: it is the order in which a run is rebuilt."""
    _insert("execution_steps", _STEP_NEW, rows, _STEP_JSON)


def change_steps(rows: Sequence[StepRow]) -> None:
    """Write what can have changed since the insert."""
    if rows:
        sql.update_many(
            "execution_steps",
            columns=list(_STEP_TYPES.items()),
            rows=[[_plain(row, name, _STEP_JSON) for name in _STEP_TYPES] for row in rows],
            assign=", ".join(f"{name} = v.{name}" for name in _STEP_TYPES if name not in _STEP_KEY),
            where=" AND ".join(f"t.{name} = v.{name}" for name in _STEP_KEY),
        )


def add_lines(rows: Sequence[Line]) -> None:
    _insert("execution_logs", _LINE_NEW, rows, frozenset({"data"}))


def add_questions(rows: Sequence[QuestionRow]) -> None:
    _insert("open_questions", _QUESTION_NEW, rows, _QUESTION_JSON)


def load_steps(execution_ids: Iterable[UUID]) -> dict[UUID, list[StepRow]]:
    """Recorded steps in the order they began, by execution."""
    found: dict[UUID, list[StepRow]] = defaultdict(list)
    for values in _select("execution_steps", _STEP_NEW, "execution_id", execution_ids, "id"):
        row = StepRow(**_read(dict(zip(_STEP_NEW, values, strict=True)), _STEP_JSON), stored=True)
        row.cost_usd = float(row.cost_usd)
        found[row.execution_id].append(row)
    return found


def load_questions(execution_ids: Iterable[UUID]) -> dict[UUID, dict[str, QuestionRow]]:
    """Open questions with their answers, by execution and node."""
    found: dict[UUID, dict[str, QuestionRow]] = defaultdict(dict)
    by_id: dict[UUID, QuestionRow] = {}
    names = (*_QUESTION_NEW, "closed_at")
    for values in _select("open_questions", names, "execution_id", execution_ids, "id"):
        read = _read(dict(zip(names, values, strict=True)), _QUESTION_JSON)
        if read.pop("closed_at") is None:
            row = QuestionRow(**read)
            found[row.execution_id][row.node_id] = by_id[row.id] = row
    answers = ("question_id", "key", "data", "created_at", "user_id", "email")
    for values in _select("question_answers", answers, "question_id", by_id, "id"):
        read = _read(dict(zip(answers, values, strict=True)), frozenset({"data"}))
        by_id[read["question_id"]].answers.append(
            Answer(
                key=read["key"],
                data=read["data"],
                at=read["created_at"].astimezone(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
                user_id=str(read["user_id"]) if read["user_id"] else "",
                email=read["email"],
            )
        )
    return found


# -- inside ----------------------------------------------------------------------------------------------------------


def _plain(row: Any, name: str, json: frozenset[str]) -> Any:
    """A column's value as the driver takes it."""
    value = getattr(row, name)
    if value is None:
        return None
    if name in json:
        return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS).decode()
    return str(value) if isinstance(value, str) else value  # A TextChoices member is more than its text.


def _insert(table: str, names: Sequence[str], rows: Sequence[Any], json: frozenset[str]) -> None:
    if not rows:
        return
    columns = ", ".join(names)
    values = ([_plain(row, name, json) for name in names] for row in rows)
    with connection.cursor() as cursor:
        if connection.vendor != "postgresql":
            places = ", ".join(["%s"] * len(names))
            text = f"INSERT INTO {table} ({columns}) VALUES ({places})"  # noqa: S608  Every part is ours; values are parameters.
            cursor.executemany(text, [[sql.value(each) for each in line] for line in values])
            return
        # A cursor's own methods let the driver's errors through, so they are named as Django's here.
        with connection.wrap_database_errors, cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as copy:
            for line in values:
                copy.write_row(line)


def _select(table: str, names: Sequence[str], by: str, ids: Iterable[UUID], order: str) -> list[tuple[Any, ...]]:
    wanted = list(ids)
    if not wanted:
        return []
    places, values = sql.ids(wanted)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {', '.join(names)} FROM {table} WHERE {by} IN {places} ORDER BY {order}",  # noqa: S608  Every part is ours; values are parameters.
            values,
        )
        return cursor.fetchall()


def _read(values: dict[str, Any], json: frozenset[str]) -> dict[str, Any]:
    """Columns as this process means them: SQLite keeps ids, moments and truth as text and numbers."""
    for name, value in values.items():
        if value is None:
            continue
        if name in json:
            values[name] = orjson.loads(value)
        elif name == "id" or name == "kept_from" or (name.endswith("_id") and name != "node_id"):
            values[name] = sql.uuid(value)
        elif name.endswith("_at"):
            values[name] = sql.moment(value)
        elif name in ("public", "not_author"):
            values[name] = bool(value)
    return values
