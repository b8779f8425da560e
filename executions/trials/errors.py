"""What can be refused about trying a workflow out."""

from __future__ import annotations

from auterity.kernel.errors import DomainError, Kind


class NodeNotFound(DomainError):
    kind = Kind.NOT_FOUND
    slug = "node_not_found"
    sentence = "This version of the workflow has no such node."
