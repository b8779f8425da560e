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
