"""One-time tickets for sockets: `/api/ws-tickets`."""

from __future__ import annotations

from accounts.errors import NotAuthenticated
from api import socket_tickets
from api.auterity.bodies import tickets as bodies
from api.auterity.dialect import AuterityView
from api.base import Answer, Call, operation
from api.frames import expiry_of
from api.needs import PERSON
from auterity.kernel.errors import InvalidInput


class TicketsView(AuterityView):
    @operation(
        needs=PERSON,
        summary="Get a ticket for a socket",
        body=bodies.TicketWish,
        answers={201: bodies.TicketBody},
        raises=[NotAuthenticated, InvalidInput],
    )
    def post(self, call: Call[bodies.TicketWish]) -> Answer:
        """For a browser, which can set no header on a socket: good for one connection to one path, for 60 seconds. The socket
        ends when the access token of this call would."""
        until = expiry_of(str(call.request.auth))
        ticket = socket_tickets.issue(actor=call.actor, path=call.body.path, access_until=until)
        return Answer(bodies.TicketBody(ticket=ticket, expires_in=socket_tickets.TICKET_SECONDS), 201)
