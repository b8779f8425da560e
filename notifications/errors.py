"""What can be refused about notifications."""

from __future__ import annotations

from auterity.kernel.errors import DomainError, Kind


class NotificationNotFound(DomainError):
    """There is none of this id in the person's own inbox: missing, forgotten, or somebody else's."""

    kind = Kind.NOT_FOUND
    slug = "notification_not_found"
    sentence = "There is no notification of this id in your inbox."
