"""What can be refused about a template."""

from __future__ import annotations

from auterity.kernel.errors import DomainError, Kind


class TemplateNotFound(DomainError):
    """Missing, or private to another organization: the two look alike."""

    kind = Kind.NOT_FOUND
    slug = "template_not_found"
    sentence = "There is no such template."


class TemplateInactive(DomainError):
    """Nothing can be made from it as it stands."""

    kind = Kind.INVALID
    slug = "template_inactive"
    sentence = "The template is not active. Activate it first."
