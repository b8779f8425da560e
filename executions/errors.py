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
