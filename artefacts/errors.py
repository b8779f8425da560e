"""What can be refused about stored files."""

from __future__ import annotations

from auterity.kernel.errors import DomainError, Kind


class FileNotFound(DomainError):
    """There is none of this id here: missing, deleted, or another organization's."""

    kind = Kind.NOT_FOUND
    slug = "file_not_found"
    sentence = "There is no file of this id. It may have been deleted, or its time to be kept was over."


class FileRefused(DomainError):
    """What was sent is no file of a kind that is taken, or is not what it says it is."""

    slug = "file_refused"
    sentence = "This file is not taken."


class FileTooLarge(DomainError):
    slug = "file_too_large"
    sentence = "The file is larger than one file may be."


class StorageFull(DomainError):
    slug = "storage_full"
    sentence = "The organization's files take all the room they may. Delete some that are no longer needed."


class FileDamaged(DomainError):
    """The stored bytes are not the ones that were stored. A defect of the storage, never of a client."""

    kind = Kind.UNAVAILABLE
    slug = "file_damaged"
    sentence = "The stored file is damaged: its bytes no longer have the checksum they were stored with."
