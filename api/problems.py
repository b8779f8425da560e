"""Refusals that arise at the door, before any service is asked, as the same kind of error that services raise.

`as_domain_error` turns whatever was raised into one; wording it is the dialect's work (`api/dialect.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.core.exceptions import (
    DisallowedHost,
    RequestDataTooBig,
    SuspiciousOperation,
    TooManyFieldsSent,
)
from django.core.exceptions import PermissionDenied as DjangoPermissionDenied
from django.db import InterfaceError, OperationalError
from django.http import Http404
from django.http.multipartparser import MultiPartParserError
from pydantic import ValidationError
from rest_framework import exceptions as rest

from accounts.errors import NotAuthenticated, TokenInvalid
from auterity.kernel.errors import (
    DomainError,
    FieldProblem,
    InvalidInput,
    Kind,
    PermissionDenied,
    TemporarilyUnavailable,
)


class MalformedBody(DomainError):
    slug = "malformed_body"
    sentence = "The request body is not valid JSON."


class BodyTooLarge(DomainError):
    slug = "body_too_large"
    sentence = "The request body is too large."


class NoSuchPath(DomainError):
    kind = Kind.NOT_FOUND
    slug = "no_such_path"
    sentence = "There is nothing at this address."


class MethodNotAllowed(DomainError):
    slug = "method_not_allowed"
    sentence = "This address does not take that method."


class NotAcceptable(DomainError):
    slug = "not_acceptable"
    sentence = "This can be answered as application/json only."


class UnsupportedMediaType(DomainError):
    slug = "unsupported_media_type"
    sentence = "Send the body as application/json."


class RefreshInvalid(DomainError):
    """No token that buys a new one: neither in the body, nor in a cookie, nor as bearer."""

    kind = Kind.UNAUTHENTICATED
    slug = "refresh_invalid"
    sentence = "There is no valid refresh token, and no valid access token either."


class PasswordMismatch(DomainError):
    slug = "password_mismatch"
    sentence = "The password and its confirmation differ."


class CsrfFailed(DomainError):
    """A change asked for by a cookie alone, which a foreign page could have sent; or with a token that does not fit."""

    kind = Kind.FORBIDDEN
    slug = "csrf_failed"
    sentence = "Send a token of GET /api/v1/auth/csrf-token as X-CSRF-TOKEN; this one is missing, wrong or too old."


class SessionEnded(TokenInvalid):
    """A genuine token in its time, whose login was ended: logged out, password changed, switched off."""

    slug = "session_ended"
    sentence = "The login behind this token has been ended."


class DeviceMismatch(DomainError):
    """A login that is bound to one device came from another. It has been ended."""

    kind = Kind.UNAUTHENTICATED
    slug = "device_mismatch"
    sentence = "This login belongs to another device and has been ended."


class UnknownEdition(DomainError):
    slug = "unknown_edition"
    sentence = "This API version is not known."


class RateLimited(DomainError):
    """`retry_after` in whole seconds; `limit` requests a `window` of seconds."""

    kind = Kind.LIMITED
    slug = "rate_limited"
    sentence = "Too many requests. Please wait before you send the next one."


class PreconditionFailed(DomainError):
    """`If-Match` names another revision than the stored one."""

    kind = Kind.CONFLICT
    slug = "precondition_failed"
    sentence = (
        "This was changed since you read it: If-Match names another revision. Read it again, then repeat your change."
    )


class IdempotencyMismatch(DomainError):
    kind = Kind.CONFLICT
    slug = "idempotency_mismatch"
    sentence = "This Idempotency-Key was used for a different request. Use a new key for a new request."


class Crashed(DomainError):
    """A defect of ours. What went wrong is in the server's log under the request id, never in the answer."""

    kind = Kind.UNAVAILABLE
    slug = "crashed"
    sentence = "Something went wrong on our side. It is in our log under this request's id."


_BY_REST_TYPE: Mapping[type[Exception], type[DomainError]] = {
    rest.ParseError: MalformedBody,
    rest.NotAuthenticated: NotAuthenticated,
    rest.AuthenticationFailed: NotAuthenticated,
    rest.PermissionDenied: PermissionDenied,
    rest.NotFound: NoSuchPath,
    rest.MethodNotAllowed: MethodNotAllowed,
    rest.NotAcceptable: NotAcceptable,
    rest.UnsupportedMediaType: UnsupportedMediaType,
    Http404: NoSuchPath,
    DjangoPermissionDenied: PermissionDenied,
    MultiPartParserError: MalformedBody,
    RequestDataTooBig: BodyTooLarge,
    SuspiciousOperation: MalformedBody,
    OperationalError: TemporarilyUnavailable,
    InterfaceError: TemporarilyUnavailable,
}


def as_domain_error(error: Exception) -> DomainError | None:
    """The refusal an exception stands for, or None when it is a defect."""
    if isinstance(error, DomainError):
        return error
    if isinstance(error, ValidationError):
        return InvalidInput(field_problems(error))
    if isinstance(error, DisallowedHost):
        return MalformedBody(
            "This server does not answer to that Host; AUTERITY_ALLOWED_HOSTS names those that it has."
        )
    if isinstance(error, TooManyFieldsSent):
        return MalformedBody(f"The request has more than {settings.DATA_UPLOAD_MAX_NUMBER_FIELDS:,} fields.")
    for kind, refusal in _BY_REST_TYPE.items():
        if isinstance(error, kind):
            return refusal()
    return None


def field_problems(error: ValidationError) -> list[FieldProblem]:
    """Each of pydantic's complaints with its dotted field, its sentence, and whether it is missing or malformed."""
    return [
        FieldProblem(
            ".".join(str(part) for part in each["loc"] if part != "body") or "body",
            _sentence(each),
            "required" if each["type"] == "missing" else "format" if "parsing" in each["type"] else "invalid",
        )
        for each in error.errors(include_url=False, include_input=False)
    ]


def _sentence(each: Any) -> str:
    if each["type"] == "missing":
        return "This field is required."
    message = str(each["msg"]).removeprefix("Value error, ")
    return message if message.endswith(".") else f"{message}."
