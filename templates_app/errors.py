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


class TemplateVersionNotFound(DomainError):
    """The template is there, and never had this number."""

    kind = Kind.NOT_FOUND
    slug = "template_version_not_found"
    sentence = "The template has no such version."


class NotYourTemplate(DomainError):
    """A public template of another organization, or one of the product's catalogue: everybody reads it, its owner writes it."""

    kind = Kind.FORBIDDEN
    slug = "not_your_template"
    sentence = "Only the organization that owns a template can change it. Make a template of your own from it."


class ReviewNotFound(DomainError):
    kind = Kind.NOT_FOUND
    slug = "template_review_not_found"
    sentence = "There is no such review of this template."


class NotYourReview(DomainError):
    kind = Kind.FORBIDDEN
    slug = "not_your_review"
    sentence = "A review is changed and taken back by whoever wrote it."
