"""What can be refused about the outside world's settings."""

from __future__ import annotations

from collections.abc import Sequence

from auterity.kernel.errors import DomainError, Kind


class MessageTemplateNotFound(DomainError):
    """Neither the organization nor the product has a message template of this name."""

    kind = Kind.NOT_FOUND
    slug = "message_template_not_found"

    def __init__(self, name: str, known: Sequence[str]) -> None:
        names = ", ".join(known) or "none"
        super().__init__(f"There is no message template '{name}'. There are: {names}.", name=name, known=list(known))


class ConnectionNotFound(DomainError):
    """Missing, or another organization's: the two look alike."""

    kind = Kind.NOT_FOUND
    slug = "connection_not_found"
    sentence = "There is no such connection."


class ConnectionNameTaken(DomainError):
    """The organization has a connection of this name."""

    kind = Kind.CONFLICT
    slug = "connection_name_taken"
    sentence = "There is a connection of this name already. Choose another name."
