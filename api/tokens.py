"""The credential of a request, read once: the rate limits ask whose it is, the door whether what is behind it is alive.

It is a token of a login, or an API key: `Authorization: Bearer` takes both, `X-API-Key` takes a key. The first that is sent
counts alone: a bad one is not made good by the other. Where the path's dialect knows browsers by cookie, the cookie's token
counts while neither header is sent.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from uuid import UUID

from django.http import HttpRequest
from django.utils import timezone

from accounts import key_proofs, tokens
from accounts.errors import ApiKeyNotFromHere, TokenInvalid
from accounts.tokens import Claims, TokenKind
from api import cookies
from auterity.kernel.access import Actor
from auterity.kernel.errors import DomainError

MOST_ENDED = 10_000
MOST_KEYS = 10_000


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose tokens of the rate limits a request takes, as told without a database."""

    name: str
    organization_id: UUID | None


@dataclass(frozen=True, slots=True)
class Bearer:
    """A token and what it says, or why it is no good. Without a database: a login that was ended still has claims here."""

    token: str = field(repr=False)
    claims: Claims | None
    problem: DomainError | None = None
    by_cookie: bool = False

    @property
    def claimed(self) -> Claims | None:
        """What it says, unless this process saw that the login behind it has ended."""
        return self.claims if self.claims is not None and self.claims.session_id not in _ENDED else None

    @property
    def caller(self) -> Caller | None:
        claims = self.claimed
        return None if claims is None else Caller(f"user:{claims.user_id}", claims.organization_id)

    def actor(self) -> Actor:
        """The person behind it, with today's rights. Raises `TokenInvalid` or `TokenExpired`. One query."""
        if self.claims is None:
            raise self.problem or TokenInvalid
        try:
            actor = tokens.standing(self.claims, now=timezone.now()).actor
        except TokenInvalid:
            _ENDED[self.claims.session_id] = None
            if len(_ENDED) > MOST_ENDED:
                _ENDED.popitem(last=False)
            raise
        if _ENDED:
            _ENDED.pop(self.claims.session_id, None)
        return actor


@dataclass(frozen=True, slots=True)
class Key:
    """An API key. Who sends one that this process has not seen to be good is counted by address, so that guesses are."""

    token: str = field(repr=False)
    address: str
    claimed: None = None
    claims: None = None
    by_cookie: bool = False

    @property
    def caller(self) -> Caller | None:
        return _GOOD_KEYS.get(key_proofs.digest_of(self.token))

    def actor(self) -> Actor:
        """In whose name it acts, with today's rights. Raises `TokenInvalid` or `ApiKeyNotFromHere`. One query."""
        digest = key_proofs.digest_of(self.token)
        try:
            actor, _ = key_proofs.authenticate(self.token, address=self.address)
        except (TokenInvalid, ApiKeyNotFromHere):
            _GOOD_KEYS.pop(digest, None)
            raise
        _GOOD_KEYS[digest] = Caller(f"key:{actor.key_id}", actor.organization_id)
        if len(_GOOD_KEYS) > MOST_KEYS:
            _GOOD_KEYS.popitem(last=False)
        return actor


# Logins that were found to have ended. Whoever goes on sending such a token uses up their own address's tokens, not the person's.
_ENDED: OrderedDict[UUID, None] = OrderedDict()
_GOOD_KEYS: OrderedDict[str, Caller] = OrderedDict()  # by digest


def bearer_of(request: HttpRequest) -> Bearer | Key | None:
    """The credential of `Authorization: Bearer`, `X-API-Key` or the session cookie, or None where there is none."""
    found: Bearer | Key | None
    try:
        found = request._bearer  # type: ignore[attr-defined]
    except AttributeError:
        found = request._bearer = _read(request)  # type: ignore[attr-defined]
    return found


def claims_of(request: HttpRequest) -> Claims | None:
    """Whose request this says to be, by a genuine token. Whether the login is alive is not asked. A key has no claims."""
    bearer = bearer_of(request)
    return bearer.claimed if bearer is not None else None


def caller_of(request: HttpRequest) -> Caller | None:
    """Whose request this is for the rate limits, where that can be told from a genuine token or a known key."""
    bearer = bearer_of(request)
    return bearer.caller if bearer is not None else None


def _read(request: HttpRequest) -> Bearer | Key | None:
    address = request.META.get("REMOTE_ADDR", "")
    scheme, _, sent = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
    token = sent.strip()
    if scheme.lower() == "bearer" and token:
        return Key(token, address) if key_proofs.is_key(token) else _bearer(token)
    key = request.META.get("HTTP_X_API_KEY", "").strip()
    if key:
        return Key(key, address)
    if scheme or not getattr(request, "takes_cookies", False):
        return None
    kept = cookies.access_token(request)
    return _bearer(kept, by_cookie=True) if kept else None


def _bearer(token: str, *, by_cookie: bool = False) -> Bearer:
    try:
        kinds = (TokenKind.ACCESS,) if by_cookie else (TokenKind.ACCESS, TokenKind.NARROW)
        return Bearer(token, tokens.read(token, *kinds), None, by_cookie)
    except DomainError as error:
        return Bearer(token, None, error, by_cookie)
