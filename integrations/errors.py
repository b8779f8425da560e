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


class MessageNotFound(DomainError):
    """Missing, or another organization's."""

    kind = Kind.NOT_FOUND
    slug = "message_not_found"
    sentence = "There is no such message."


class ProviderNotConfigured(DomainError):
    """Neither the organization nor the server has set this provider up."""

    kind = Kind.UNAVAILABLE
    slug = "provider_not_configured"
    sentence = "The provider is not configured."

    def __init__(self, provider: str, *, connectable: bool) -> None:
        way = f"Add a connection of type {provider}" if connectable else "Choose a provider that this server can reach"
        super().__init__(f"The provider {provider} is not configured. {way}.", provider=provider)


class DmsNotFound(DomainError):
    """Missing, or another organization's."""

    kind = Kind.NOT_FOUND
    slug = "dms_not_found"
    sentence = "There is no such DMS integration."


class SyncNotFound(DomainError):
    kind = Kind.NOT_FOUND
    slug = "dms_sync_not_found"
    sentence = "There is no such sync of this integration."


class SyncRunning(DomainError):
    """One at a time: two readings of one DMS would only get in each other's way."""

    kind = Kind.CONFLICT
    slug = "dms_sync_running"
    sentence = "A sync of this integration is running. Wait until it has ended."


class DmsUnavailable(DomainError):
    """It takes no connection, or may not be reached from here."""

    kind = Kind.UNAVAILABLE
    slug = "dms_unavailable"
    sentence = "The DMS cannot be reached."
