"""What can be refused to a native client."""

from __future__ import annotations

from auterity.kernel.errors import DomainError, Kind


class UnknownCollection(DomainError):
    """`details.collections` names those that are there."""

    slug = "unknown_collection"
    sentence = "There is no such collection."


class CursorExpired(DomainError):
    """What was deleted so long ago is no longer known; `details.collection` names whose cursor it is."""

    kind = Kind.CONFLICT
    slug = "cursor_expired"
    sentence = "This cursor is too old to tell what was deleted since. Start again with null."


class RowNotFound(DomainError):
    """None of this id: missing, or another organization's."""

    kind = Kind.NOT_FOUND
    slug = "row_not_found"
    sentence = "There is nothing of this id in the collection."


class RowExists(DomainError):
    """A row was made under this made-up id before; it is changed from then on."""

    kind = Kind.CONFLICT
    slug = "row_exists"
    sentence = "This was created before. Update it."


class ChangeIdReused(DomainError):
    kind = Kind.CONFLICT
    slug = "change_id_reused"
    sentence = "This client_change_id was used for a different change. Use a new one for a new change."


class ChecksumMismatch(DomainError):
    """`details.sha256` is that of the bytes that came."""

    slug = "checksum_mismatch"
    sentence = "The bytes that came do not have the checksum that was sent with them. Send the file again."


class ConversationNotFound(DomainError):
    kind = Kind.NOT_FOUND
    slug = "conversation_not_found"
    sentence = "There is no such conversation."
