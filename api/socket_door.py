"""Who knocks at a socket: where credentials may stand in a handshake, and which one counts (`websockets.yaml`, auth_methods)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode

from accounts import key_proofs
from accounts.errors import TokenInvalid
from accounts.tokens import authenticate_access
from api.addresses import forwarded
from api.frames import expiry_of
from api.socket_tickets import spend
from audit.origin import Origin, coming_from
from auterity.kernel.access import Actor

Scope = MutableMapping[str, Any]
App = Callable[[Scope, Callable[[], Awaitable[Any]], Callable[[Any], Awaitable[None]]], Awaitable[None]]

SECRETS = ("token", "ticket")
KEY_HOURS = 24  # how long a socket stays that was opened by an API key, which need not end


@dataclass(frozen=True, slots=True)
class Credential:
    """A token or a ticket, and the way it came: header, subprotocol, ticket, query or message."""

    way: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Entered:
    """Who was let in, and until when."""

    actor: Actor
    until: dt.datetime


def with_hidden_credentials(app: App) -> App:
    """Take tokens and tickets out of the address before anything can log, trace or report it. A trailing slash goes too.

    The server's own log line is written from the very scope that is changed here, after the socket was accepted.
    """

    async def wrapped(scope: Scope, receive: Any, send: Any) -> None:
        query = parse_qsl(scope["query_string"].decode("latin-1"))
        scope["credentials"] = {name: value for name, value in query if name in SECRETS}
        if scope["credentials"]:
            scope["query_string"] = urlencode([each for each in query if each[0] not in SECRETS]).encode()
        scope["path"] = scope["path"].rstrip("/") or "/"
        await app(scope, receive, send)

    return wrapped


def credential_of(scope: Scope) -> Credential | None:
    """The first one there is, in the order header, subprotocol, ticket, query. It alone counts: a bad one is not made good by
    the next. No cookie is read: the product has no session cookie for users of its API (decision 23)."""
    for name, value in scope["headers"]:
        if name == b"authorization" and value[:7].lower() == b"bearer ":
            return Credential("header", value[7:].decode("latin-1").strip())
    for name, value in scope["headers"]:
        if name == b"x-api-key":
            return Credential("header", value.decode("latin-1").strip())
    for each in scope.get("subprotocols", []):
        if each.startswith("bearer."):
            return Credential("subprotocol", each.removeprefix("bearer."))
    given = scope.get("credentials", {})
    if "ticket" in given:
        return Credential("ticket", given["ticket"])
    return Credential("query", given["token"]) if "token" in given else None


def enter(credential: Credential, path: str, address: str = "") -> Entered:
    """Raises `TokenInvalid`, `TokenExpired`, `ApiKeyNotFromHere` or `AddressNotAllowed`. A ticket is used up.

    An API key opens sockets where it stands in no address, which others may see for longer than a token lives.
    """
    with coming_from(Origin(address, path=path)):  # The networks that a policy allows count here too.
        if credential.way == "ticket":
            actor, until = spend(ticket=credential.secret, path=path)
            return Entered(actor, until)
        if key_proofs.is_key(credential.secret):
            if credential.way == "query":
                raise TokenInvalid("Send an API key in a header or in the first frame.")
            actor, ends_at = key_proofs.authenticate(credential.secret, address=address)
            latest = dt.datetime.now(dt.UTC) + dt.timedelta(hours=KEY_HOURS)
            return Entered(actor, latest if ends_at is None else min(ends_at, latest))
        return Entered(authenticate_access(credential.secret), expiry_of(credential.secret))


def address_of(scope: Scope) -> str:
    """The client's address, also behind proxies of ours; see `api.middleware.client_address`."""
    peer = str((scope.get("client") or ("",))[0])
    sent = [value.decode("latin-1") for name, value in scope["headers"] if name == b"x-forwarded-for"]
    return forwarded(peer, ",".join(sent))
