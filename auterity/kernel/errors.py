"""What can go wrong, in the domain's own words. No error here knows a status code; each dialect words it for its clients."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, ClassVar


class Kind(StrEnum):
    """The families of refusal. A dialect maps a slug first, then its kind."""

    INVALID = "invalid"  # the request cannot be understood or breaks a rule
    UNAUTHENTICATED = "unauthenticated"  # nobody, or not who they say
    FORBIDDEN = "forbidden"  # known, but not allowed
    NOT_FOUND = "not_found"  # missing, or another organization's: the two look alike
    CONFLICT = "conflict"  # the object's present state forbids it
    LIMITED = "limited"  # too much, too fast
    UNAVAILABLE = "unavailable"  # a needed part does not answer; trying again later can help


class DomainError(Exception):
    """Base of every refusal. Subclasses set `kind`, `slug` and one sentence; `details` are JSON values for the client."""

    kind: ClassVar[Kind] = Kind.INVALID
    slug: ClassVar[str] = "invalid"
    sentence: ClassVar[str] = "The request is not valid."

    def __init__(self, message: str | None = None, **details: Any) -> None:
        self.message = message or self.sentence
        self.details = details
        super().__init__(self.message)


class FieldProblem:
    """One thing wrong with one field: where, what, and how to mend it."""

    __slots__ = ("code", "field", "message")

    def __init__(self, field: str, message: str, code: str = "invalid") -> None:
        self.field = field
        self.message = message
        self.code = code  # invalid | required | format

    def as_dict(self) -> dict[str, str]:
        return {"field": self.field, "message": self.message}


class InvalidInput(DomainError):
    """The request's fields break a rule. Carries every problem found, not only the first."""

    kind = Kind.INVALID
    slug = "invalid_input"
    sentence = "Invalid input data"

    def __init__(self, problems: list[FieldProblem], message: str | None = None) -> None:
        super().__init__(message or self.sentence)
        self.problems = problems

    @classmethod
    def of(cls, field: str, message: str, code: str = "invalid") -> InvalidInput:
        return cls([FieldProblem(field, message, code)])


class PermissionDenied(DomainError):
    kind = Kind.FORBIDDEN
    slug = "permission_denied"
    sentence = "Your role does not allow this."


class ScopeDenied(DomainError):
    """`details.required` is the scope that was wanted, where one would do."""

    kind = Kind.FORBIDDEN
    slug = "scope_denied"
    sentence = "A token with narrow scopes cannot be used for this."


class RevisionConflict(DomainError):
    """A save named an older revision than the stored one."""

    kind = Kind.CONFLICT
    slug = "revision_conflict"
    sentence = "Someone changed this since you read it. Read it again, then repeat your change."


class TemporarilyUnavailable(DomainError):
    kind = Kind.UNAVAILABLE
    slug = "unavailable"
    sentence = "The service is busy or a part of it does not answer. Please try again shortly."
