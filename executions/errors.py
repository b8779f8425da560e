"""What can be refused about an execution."""

from __future__ import annotations

from auterity.kernel.errors import DomainError, Kind


class ExecutionNotFound(DomainError):
    kind = Kind.NOT_FOUND
    slug = "execution_not_found"
    sentence = "There is no such execution."


class ExecutionEnded(DomainError):
    kind = Kind.CONFLICT
    slug = "execution_ended"
    sentence = "This execution has already ended."


class WebhookRefused(DomainError):
    """Whatever was wrong with the caller's proof: the answer does not say."""

    kind = Kind.UNAUTHENTICATED
    slug = "webhook_refused"
    sentence = "The call carries no valid proof of who sent it."


class LogNotFound(DomainError):
    kind = Kind.NOT_FOUND
    slug = "log_not_found"
    sentence = "There is no such log entry."


class QuestionNotFound(DomainError):
    kind = Kind.NOT_FOUND
    slug = "question_not_found"
    sentence = "There is no such question, or it was not you who was asked."


class QuestionClosed(DomainError):
    """It was answered, ran out of time, or its execution ended."""

    kind = Kind.CONFLICT
    slug = "question_closed"
    sentence = "This question is no longer open."


class AlreadyAnswered(DomainError):
    kind = Kind.CONFLICT
    slug = "question_answered"
    sentence = "You have already answered this question."


class NotPaused(DomainError):
    kind = Kind.CONFLICT
    slug = "execution_not_paused"
    sentence = "This execution is not paused."


class TooManyQueued(DomainError):
    """The organization has as many runs waiting to begin as it may have. `details["retry_after"]` is in seconds."""

    kind = Kind.LIMITED
    slug = "too_many_queued"
    sentence = "Too many runs of your organization wait to begin. Try again later."


class TooManyStarts(DomainError):
    kind = Kind.LIMITED
    slug = "too_many_starts"
    sentence = "Your organization started too many runs within a minute. Try again later."


class WorkflowBraked(DomainError):
    """A schedule, webhook or run wanted to start a workflow that is braked. `details["reason"]` says why."""

    kind = Kind.LIMITED
    slug = "workflow_braked"
    sentence = "This workflow's automatic starts are stopped for a while."


class QueueFull(DomainError):
    """So many runs wait to begin, of whatever organization, that no more are accepted."""

    kind = Kind.UNAVAILABLE
    slug = "queue_full"
    sentence = "The platform has more work waiting than it takes on. Try again later."
