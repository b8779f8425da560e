"""A dialect is data: how one family of documents words errors, and which paths are its own. No view asks which dialect it is.

The four dialects serve one domain. An unknown path or a crash is worded by the dialect of the path's prefix.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from pydantic import BaseModel

from accounts.errors import MfaRequired
from api.throttling import Limits
from auterity.kernel.errors import DomainError, Kind


@dataclass(frozen=True, slots=True)
class Wording:
    """How a dialect says one refusal: the HTTP status and the name of its code."""

    status: int
    code: str


@dataclass(frozen=True, slots=True)
class Worded:
    """A refusal ready to be sent."""

    status: int
    body: dict[str, Any]
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Header:
    """A request header that every operation of a dialect takes."""

    name: str
    meaning: str
    choices: tuple[str, ...] = ()
    default: str = ""


def _as_it_is(request: HttpRequest, response: HttpResponseBase) -> None:
    """For a dialect that adds no headers of its own."""


@dataclass(frozen=True, slots=True)
class AnswerHeader:
    """A header that every answer of a dialect may carry, and its JSON Schema."""

    name: str
    meaning: str
    schema: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Dialect:
    """`slugs` are looked up before `kinds`; `say` builds the body in the dialect's envelope and edition.

    `limits` are its rate limits. `cookies` says that its callers may be known by the session cookie of a browser. `dress` puts
    the headers of its own on any answer, whoever made it. `media` are the types that its answers may have, the usual one first.

    For the OpenAPI document: `error_body` is the envelope's shape, `codes` what a wording's name is on the wire by default,
    `about` what it begins with where the settings do not say it.
    """

    name: str
    prefixes: tuple[str, ...]
    slugs: Mapping[str, Wording]
    kinds: Mapping[Kind, Wording]
    say: Callable[[HttpRequest, DomainError, Wording], Worded]
    access_seconds: int
    error_body: type[BaseModel]
    cookies: bool = False
    about: str = ""
    codes: Mapping[str, str] = field(default_factory=dict)
    headers: tuple[Header, ...] = ()
    limits: Limits = field(default_factory=Limits)
    dress: Callable[[HttpRequest, HttpResponseBase], None] = _as_it_is
    media: tuple[str, ...] = ("application/json",)
    answer_headers: tuple[AnswerHeader, ...] = ()

    def wording(self, error: DomainError | type[DomainError]) -> Wording:
        return self.slugs.get(error.slug) or self.kinds[error.kind]

    def word(self, request: HttpRequest, error: DomainError) -> Worded:
        """The whole answer to a refusal, with the headers its status calls for."""
        worded = self.say(request, error, self.wording(error))
        headers = dict(worded.headers)
        if worded.status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        if worded.status in (429, 503):
            headers["Retry-After"] = str(error.details.get("retry_after", 1))
        return Worded(worded.status, worded.body, headers)


def challenge(error: MfaRequired) -> Worded:
    """A login that owes its second factor is no refusal where a document knows none for it (contract README, decision 5)."""
    return Worded(200, {"mfa_required": True, **error.details}, {"Cache-Control": "no-store"})


class Dialects:
    """The dialects there are, each claiming its path prefixes."""

    def __init__(self) -> None:
        self._all: list[Dialect] = []

    def add(self, dialect: Dialect) -> Dialect:
        taken = {prefix for each in self._all for prefix in each.prefixes}
        if taken & set(dialect.prefixes):
            raise ValueError(f"The dialect {dialect.name} claims a prefix that another one has.")
        self._all.append(dialect)
        return dialect

    def of_path(self, path: str) -> Dialect | None:
        """The dialect with the longest prefix of the path, or None for pages that are no API."""
        fitting = [(len(prefix), each) for each in self._all for prefix in each.prefixes if _under(path, prefix)]
        return max(fitting, key=lambda pair: pair[0])[1] if fitting else None

    def __iter__(self) -> Any:
        return iter(self._all)


def _under(path: str, prefix: str) -> bool:
    return path == prefix or path.startswith(f"{prefix}/")


DIALECTS = Dialects()
