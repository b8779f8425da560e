"""One-time tickets for sockets: for a browser, which can set no header and should not put a token into an address."""

from __future__ import annotations

import datetime as dt
import hashlib
import secrets
from uuid import UUID

from django.db.models import QuerySet
from django.utils import timezone

from accounts.errors import NotAuthenticated, TokenInvalid
from accounts.tokens import authenticate_session
from api.models import SocketTicket
from auterity.kernel.access import Actor
from auterity.kernel.errors import InvalidInput

TICKET_SECONDS = 60
PATH_LENGTH = 300


def issue(*, actor: Actor, path: str, access_until: dt.datetime) -> str:
    """A ticket for this user, login and path; a socket opened with it ends when the token that bought it would, `access_until`.

    Raises `InvalidInput` for what is no path of a socket.
    """
    if actor.session_id is None:
        raise NotAuthenticated
    bare = path.rstrip("/")
    if not bare.startswith("/") or len(path) > PATH_LENGTH or not bare.isprintable() or set("?#") & set(bare):
        raise InvalidInput.of("path", "Name the path of a socket, such as /ws/executions/{id}, without a query.")
    secret = secrets.token_urlsafe(32)
    ticket = SocketTicket(
        organization_id=actor.organization_id,
        session_id=actor.session_id,
        digest=_digest(secret),
        path=bare,
        expires_at=timezone.now() + dt.timedelta(seconds=TICKET_SECONDS),
        access_until=access_until,
    )
    ticket.save(force_insert=True)
    return f"{actor.organization_id.hex}.{secret}"


def spend(*, ticket: str, path: str) -> tuple[Actor, dt.datetime]:
    """Use a ticket up: who bought it, and until when they may stay. Raises `TokenInvalid`.

    Of any number of callers in any number of processes one gets in: whoever's DELETE finds the row.
    """
    organization, _, secret = ticket.partition(".")
    try:
        rows = SocketTicket.objects.of(UUID(organization))
    except ValueError as error:
        raise TokenInvalid("The ticket is not valid.") from error
    found = rows.filter(digest=_digest(secret), path=path.rstrip("/"), expires_at__gt=timezone.now()).first()
    if found is None or not rows.filter(pk=found.pk).delete()[0]:
        raise TokenInvalid("The ticket is not valid, was used already, or is for another address.")
    return authenticate_session(found.session_id), found.access_until


def forgotten_tickets(organization_id: UUID, now: dt.datetime) -> QuerySet[SocketTicket]:
    """Tickets that nobody used in time."""
    rows: QuerySet[SocketTicket] = SocketTicket.objects.of(organization_id)
    return rows.filter(expires_at__lt=now)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
