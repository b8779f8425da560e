"""What can go wrong about data rights."""

from __future__ import annotations

from auterity.kernel.errors import DomainError, Kind


class ExportNotFound(DomainError):
    kind = Kind.NOT_FOUND
    slug = "export_not_found"
    sentence = "There is no such export, or its link or its file has expired. Ask for a new one."


class ExportUnderWay(DomainError):
    kind = Kind.CONFLICT
    slug = "export_under_way"
    sentence = "An export is being made already. Wait until it is ready."


class ErasureNotFound(DomainError):
    kind = Kind.NOT_FOUND
    slug = "erasure_not_found"
    sentence = "Nothing is about to be erased here."
