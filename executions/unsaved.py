"""What happened to one execution since its last commit, gathered to become a checkpoint."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from engine.graph import Node
from engine.ports import Usage
from engine.scheduler import Run
from engine.waiting import Wait
from executions.claims import Claim
from executions.journal import Checkpoint
from executions.lines import clean, line_of
from executions.models import ExecutionStatus, LogKind, StepStatus
from executions.records import Line, QuestionRow, StepRow

MAX_TITLE = 300


@dataclass(slots=True)
class Unsaved:
    """Gathers records; `checkpoint` hands them out, and `saved` begins anew once they are committed."""

    claim: Claim
    run: Run
    new: list[StepRow] = field(default_factory=list)
    changed: dict[str, StepRow] = field(default_factory=dict)
    lines: list[Line] = field(default_factory=list)
    questions: list[QuestionRow] = field(default_factory=list)
    closed: list[UUID] = field(default_factory=list)
    usages: list[tuple[str, Usage]] = field(default_factory=list)
    progressed: bool = False

    def __bool__(self) -> bool:
        return bool(self.lines or self.new or self.changed or self.questions or self.closed)

    def begin_row(self, node: Node, moment: dt.datetime) -> StepRow:
        """The record of a step that is taken for the first time."""
        row = StepRow(
            execution_id=self.claim.id,
            node_id=node.id,
            node_name=clean(node.title)[:200],
            node_type=node.type.name,
            status=StepStatus.RUNNING,
            started_at=moment,
        )
        self.new.append(row)
        self.progressed = True
        return row

    def touch(self, row: StepRow) -> None:
        """The row changes; one that is not stored yet is inserted as it will be."""
        if row.stored:
            self.changed[row.node_id] = row

    def say(
        self,
        kind: LogKind,
        message: str,
        node: Node | None = None,
        *,
        level: str = "info",
        data: dict[str, Any] | None = None,
        status: ExecutionStatus = ExecutionStatus.RUNNING,
        progress: float | None = None,
    ) -> None:
        self.lines.append(
            line_of(
                self.claim,
                len(self.lines) + 1,
                kind,
                message,
                node_id=node.id if node else None,
                level=level,
                data=data,
                status=status,
                progress=self.run.progress if progress is None else progress,
            )
        )

    def ask(self, row: StepRow, wait: Wait, moment: dt.datetime) -> None:
        """Open the question of a step that waits, in place of one that was open."""
        question = wait.question
        if question is None:
            return
        self.stop_asking(row.node_id)
        opened = QuestionRow(
            organization_id=self.claim.organization_id,
            execution_id=self.claim.id,
            workflow_id=self.claim.workflow_id,
            node_id=row.node_id,
            reason=str(wait.reason),
            title=clean(question.title or row.node_name)[:MAX_TITLE],
            message=clean(question.message),
            fields=[dict(each) for each in question.fields],
            people=[{"email": each.email, "user_id": each.user_id, "name": each.name} for each in question.people],
            roles=list(question.roles),
            public=question.public,
            not_author=question.not_author,
            event=question.event[:200],
            due_at=row.due_at,
            created_at=moment,
        )
        self.questions.append(opened)
        self.claim.questions[row.node_id] = opened

    def stop_asking(self, node_id: str) -> None:
        """Close the step's open question, if there is one."""
        question = self.claim.questions.pop(node_id, None)
        if question is None:
            return
        if question in self.questions:
            self.questions.remove(question)
        else:
            self.closed.append(question.id)

    def checkpoint(self, *, status: ExecutionStatus, delay: float | None, owner: str, progressed: bool) -> Checkpoint:
        return Checkpoint(
            claim=self.claim,
            status=status,
            progress=self.run.progress,
            delay=delay,
            owner=owner,
            new_steps=self.new,
            changed_steps=list(self.changed.values()),
            lines=self.lines,
            questions=self.questions,
            closed_questions=self.closed,
            usages=self.usages,
            progressed=self.progressed or progressed,
        )

    def saved(self) -> None:
        """The last checkpoint holds."""
        self.claim.seq += len(self.lines)
        for row in self.new:
            row.stored = True
        self.new, self.changed, self.lines, self.questions, self.closed, self.usages = [], {}, [], [], [], []
        self.progressed = False
