"""Events that come in from other systems, and the questions of `wait-for-event` steps that they answer.

An event counts for a run from the moment the run started, also when the run reaches its waiting step only later. Both sides take
one lock a name, so that an event and a question that are stored at the same moment do not miss each other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from django.db import connection

from auterity.kernel.models import uuid7
from executions.models import Execution, OpenQuestion, QuestionAnswer, ReceivedEvent
from executions.records import QuestionRow

LATEST = 100  # earlier events of a name that a step which begins to wait looks at


def lock(names: Iterable[tuple[UUID, str]]) -> None:
    """One at a time for an organization's event name, until the transaction ends. SQLite has one writer anyway."""
    if connection.vendor != "postgresql":
        return
    keys = sorted(
        int.from_bytes(hashlib.sha256(f"{organization}/{name}".encode()).digest()[:8], "big", signed=True)
        for organization, name in names
    )
    with connection.cursor() as cursor:
        for key in keys:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [key])


def answer_from_past(questions: Sequence[QuestionRow]) -> list[UUID]:
    """Answer new questions with events that came while their runs were under way. Returns the executions concerned."""
    answered = []
    for question in questions:
        started = Execution.unscoped.values_list("started_at", flat=True).get(id=question.execution_id)
        came = ReceivedEvent.objects.of(question.organization_id).filter(name=question.event, created_at__gte=started)
        rows = [
            _answer(question.organization_id, question.id, each.key, each.data)
            for each in came.order_by("-id")[:LATEST]
        ]
        if rows:
            QuestionAnswer.unscoped.bulk_create(rows[::-1], ignore_conflicts=True)
            answered.append(question.execution_id)
    return answered


def answer_open(*, organization_id: UUID, name: str, key: str, data: Any) -> list[UUID]:
    """Give an event to every question that is open for it. Returns the executions concerned."""
    questions = list(
        OpenQuestion.objects.of(organization_id).filter(event=name, closed_at=None).values_list("id", "execution_id")
    )
    QuestionAnswer.unscoped.bulk_create(
        [_answer(organization_id, question, key, data) for question, _ in questions],
        ignore_conflicts=True,
        batch_size=1000,
    )
    return [execution for _, execution in questions]


def _answer(organization_id: UUID, question_id: UUID, key: str, data: Any) -> QuestionAnswer:
    return QuestionAnswer(id=uuid7(), organization_id=organization_id, question_id=question_id, key=key, data=data)
