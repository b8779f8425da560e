"""The shapes of `/api/ws-tickets`."""

from __future__ import annotations

from pydantic import BaseModel, Field

from api.socket_tickets import PATH_LENGTH


class TicketWish(BaseModel):
    path: str = Field(max_length=PATH_LENGTH, description="The socket's path, such as `/ws/executions/{id}`; no query.")


class TicketBody(BaseModel):
    ticket: str = Field(description="Open the socket with `?ticket=`. Once.")
    expires_in: int = Field(description="Seconds until it is worth nothing.")
