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


class LogNotFound(DomainError):
    kind = Kind.NOT_FOUND
    slug = "log_not_found"
    sentence = "There is no such log entry."
