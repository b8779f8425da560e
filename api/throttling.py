"""Rate limits as data (cross.yaml, rate_limits): which addresses, how much, and for whom.

A request takes one token from the bucket of every rule that fits its path, or from none; the tightest bucket is told in its
answer. Who asks is read from the token, before the database is asked anything, so that a refusal costs next to nothing.
"""

from __future__ import annotations

import hashlib
import ipaddress
import math
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any

import orjson
from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest, HttpResponse
from django.http.multipartparser import MultiPartParserError
from django.http.response import HttpResponseBase

from accounts.models import normal_email
from accounts.tokens import signing_key
from api.problems import RateLimited
from api.tokens import caller_of
from auterity.kernel import buckets
from auterity.kernel.buckets import Bucket, Taken

MOST_CREDENTIALS = 64 * 1024  # Bytes of a body that is looked into for whose account it names.
UNREADABLE = "unreadable"
FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")


class Scope(StrEnum):
    """Whose tokens a request takes. Whoever cannot be told from a good token is told by address."""

    USER = "user"  # each API key counts by itself
    ORGANIZATION = "organization"  # nobody's without a token
    ADDRESS = "address"
    ACCOUNT = "account"  # the account that the body names, else the user; nobody's when there is neither


@dataclass(frozen=True)
class Rule:
    """`rate` requests every `window` seconds and up to `burst` at once.

    In a pattern, `*` at the end is anything, elsewhere one segment. `also` are patterns of paths that share the same tokens;
    `unless` are patterns of paths that it leaves to others; `otherwise` makes it a rule for paths that no other rule fits.
    `guards` keeps it in force while the shared store is away.
    """

    pattern: str
    rate: int
    burst: int
    scope: Scope
    window: int = 60
    methods: frozenset[str] = frozenset()
    also: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()
    otherwise: bool = False
    guards: bool = False

    def fits(self, method: str, path: str) -> bool:
        return (
            (not self.methods or method in self.methods)
            and any(each.fullmatch(path) for each in self._fitting)
            and not any(each.fullmatch(path) for each in self._excepted)
        )

    @cached_property
    def name(self) -> str:
        return " ".join([*sorted(self.methods), self.pattern])

    @cached_property
    def _fitting(self) -> tuple[re.Pattern[str], ...]:
        return tuple(map(_compiled, (self.pattern, *self.also)))

    @cached_property
    def _excepted(self) -> tuple[re.Pattern[str], ...]:
        return tuple(map(_compiled, self.unless))


@dataclass(frozen=True, slots=True)
class Limits:
    """The rules of one family of addresses; families of different names share no bucket. `accounts` are the fields of a body
    that name an account."""

    name: str = ""
    rules: Sequence[Rule] = ()
    exempt: frozenset[str] = frozenset()
    accounts: tuple[str, ...] = ("email",)

    def rules_for(self, method: str, path: str) -> list[Rule]:
        if path in self.exempt:
            return []
        fitting = [each for each in self.rules if each.fits(method, path)]
        return [each for each in fitting if not each.otherwise] or fitting


@dataclass(frozen=True, slots=True)
class Area:
    """Pages that are no dialect's: their limits, and how a refusal is said to people."""

    prefixes: tuple[str, ...]
    limits: Limits
    refuse: Callable[[HttpRequest, RateLimited], HttpResponse]


@dataclass(slots=True)
class Areas:
    """The areas there are."""

    known: list[Area] = field(default_factory=list)

    def add(self, area: Area) -> Area:
        self.known.append(area)
        return area

    def of_path(self, path: str) -> Area | None:
        return next((each for each in self.known if path.startswith(each.prefixes)), None)


AREAS = Areas()


def take(limits: Limits, request: HttpRequest) -> Taken | None:
    """One token from each bucket that the request counts in, or none from any. None where no rule fits."""
    found = list(_buckets(limits, request))
    return buckets.take(found) if found else None


def refusal(taken: Taken) -> RateLimited:
    tightest = taken.tightest
    seconds = taken.retry_after
    return RateLimited(
        f"Too many requests. Please wait {seconds} second{'' if seconds == 1 else 's'} before you send the next one.",
        retry_after=seconds,
        limit=tightest.bucket.rate,
        window=tightest.bucket.window,
    )


def tell(response: HttpResponseBase, taken: Taken) -> None:
    """The headers of 001, "Rate Limit Headers": of the tightest bucket."""
    tightest = taken.tightest
    response["X-RateLimit-Limit"] = str(tightest.bucket.rate)
    response["X-RateLimit-Remaining"] = str(tightest.remaining)
    response["X-RateLimit-Reset"] = str(math.ceil(time.time() + tightest.full_in))
    response["X-RateLimit-Window"] = str(tightest.bucket.window)


def _buckets(limits: Limits, request: HttpRequest) -> Iterator[Bucket]:
    for rule in limits.rules_for(request.method or "", request.path_info):
        for who in _WHO[rule.scope](limits, request):
            yield Bucket(f"{limits.name}:{rule.name}:{who}", rule.rate, rule.burst, rule.window, rule.guards)


def _user(limits: Limits, request: HttpRequest) -> list[str]:
    caller = caller_of(request)
    return [caller.name] if caller is not None else _address(limits, request)


def _organization(_limits: Limits, request: HttpRequest) -> list[str]:
    caller = caller_of(request)
    return [f"organization:{caller.organization_id}"] if caller is not None else []


def _address(_limits: Limits, request: HttpRequest) -> list[str]:
    """Of IPv6 the network of one subscriber: a single machine has all the addresses in it."""
    sent = request.META.get("REMOTE_ADDR", "")
    if ":" in sent:
        try:
            address = ipaddress.IPv6Address(sent)
        except ValueError:
            return [f"address:{_hidden(sent)}"]
        sent = str(address.ipv4_mapped or ipaddress.IPv6Address(int(address) >> 64 << 64))
    return [f"address:{_hidden(sent)}"]


def _account(limits: Limits, request: HttpRequest) -> list[str]:
    """The account somebody tries, whether there is one or not: a token of one's own does not hide whose password is guessed."""
    named = _named(limits, request) if request.method not in ("GET", "HEAD", "OPTIONS") else []
    if named:
        return [f"account:{_hidden(each)}" for each in named]
    caller = caller_of(request)
    return [caller.name] if caller is not None else []


_WHO: dict[Scope, Callable[[Limits, HttpRequest], list[str]]] = {
    Scope.USER: _user,
    Scope.ORGANIZATION: _organization,
    Scope.ADDRESS: _address,
    Scope.ACCOUNT: _account,
}


def _named(limits: Limits, request: HttpRequest) -> list[str]:
    """Bodies too large to be credentials count as one account, so that padding one hides nothing."""
    length = str(request.META.get("CONTENT_LENGTH") or "0")
    if not length.isdecimal() or len(length) > 8 or int(length) > MOST_CREDENTIALS:
        return [UNREADABLE]
    try:
        if request.content_type in FORMS:
            body: Any = request.POST
        elif len(request.body) > MOST_CREDENTIALS:  # Sent without a length.
            return [UNREADABLE]
        else:
            body = orjson.loads(request.body)
    except (orjson.JSONDecodeError, MultiPartParserError):
        return []  # The view refuses it before it looks for anybody.
    except SuspiciousOperation:
        return [UNREADABLE]
    given = [body.get(name) for name in limits.accounts] if isinstance(body, dict) else []
    return sorted({normal_email(each) for each in given if isinstance(each, str)})


def _hidden(text: str) -> str:
    """Neither the store nor its backups tell who was here."""
    key = signing_key("rate limits")
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), key=key, digest_size=16).hexdigest()


def _compiled(pattern: str) -> re.Pattern[str]:
    tail = ".*" if pattern.endswith("*") else ""
    inner = pattern[:-1] if tail else pattern
    return re.compile(re.escape(inner).replace(r"\*", "[^/]+") + tail, re.DOTALL)
