"""What can be refused about a workflow."""

from __future__ import annotations

from typing import Any

from auterity.kernel.errors import DomainError, FieldProblem, InvalidInput, Kind
from engine.graph import Problem


class WorkflowNotFound(DomainError):
    kind = Kind.NOT_FOUND
    slug = "workflow_not_found"
    sentence = "There is no such workflow."


class VersionNotFound(DomainError):
    kind = Kind.NOT_FOUND
    slug = "workflow_version_not_found"
    sentence = "This workflow has no such version."


class WorkflowInactive(DomainError):
    """It cannot be executed as it stands."""

    kind = Kind.INVALID
    slug = "workflow_not_runnable"
    sentence = "The workflow is not active. Activate it first."


class NothingPublished(WorkflowInactive):
    """There are drafts only."""

    slug = "workflow_not_published"
    sentence = "No version of this workflow is published yet. Publish one first."


class PublishRefused(DomainError):
    """A version is published only with its test cases passed. `details.failed` lists the cases that did not."""

    kind = Kind.CONFLICT
    slug = "workflow_tests_failed"
    sentence = "The version was not published, because test cases of the workflow fail."


class CaseNotFound(DomainError):
    kind = Kind.NOT_FOUND
    slug = "workflow_test_not_found"
    sentence = "This workflow has no such test case."


class WorkflowBusy(DomainError):
    kind = Kind.CONFLICT
    slug = "workflow_busy"
    sentence = "An execution of this workflow is pending or running. Cancel it or let it end first."


class DefinitionRefused(InvalidInput):
    """The definition has problems; each names its node or edge, its field, and how to mend it."""

    slug = "definition_refused"

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__(
            [FieldProblem(each.place, each.message) for each in problems],
            "The workflow definition has problems.",
        )
        self.definition_problems = problems


class EditConflict(DomainError):
    """An edit does not fit what others made of the draft meanwhile. Nothing was changed.

    `details.current` is the node or edge as it is now, null where it is gone; `details.fields` are the fields in dispute, each
    with `field`, `yours` and `theirs`, and who changed it when. `key` is the id of the node or edge.
    """

    kind = Kind.CONFLICT
    slug = "edit_conflict"
    sentence = "Somebody else changed this meanwhile."

    def __init__(self, message: str, *, key: str = "", current: Any = None, fields: list[dict[str, Any]] | None = None):
        super().__init__(message, current=current, fields=fields or [])
        self.key = key


class CommentNotFound(DomainError):
    kind = Kind.NOT_FOUND
    slug = "workflow_comment_not_found"
    sentence = "This workflow has no such comment."


class NothingToUndo(DomainError):
    kind = Kind.CONFLICT
    slug = "nothing_to_undo"
    sentence = "There is nothing of yours to undo or redo here."
