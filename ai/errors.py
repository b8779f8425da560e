"""What can be refused about models."""

from __future__ import annotations

from auterity.kernel.errors import DomainError, Kind


class CustomModelNotFound(DomainError):
    """Missing, switched off, or another organization's: they look alike."""

    kind = Kind.NOT_FOUND
    slug = "custom_model_not_found"
    sentence = "There is no such model."

    def __init__(self, model_id: str = "", version: str = "") -> None:
        named = f" '{model_id[:100]}'" if model_id else ""
        at = f" in version '{version[:50]}'" if version else ""
        super().__init__(f"There is no active model{named}{at}.")


class CustomModelExists(DomainError):
    """This version is registered. A version never changes; register another."""

    kind = Kind.CONFLICT
    slug = "custom_model_exists"
    sentence = "This version of the model is registered already."

    def __init__(self, model_id: str, version: str) -> None:
        super().__init__(
            f"Version '{version}' of the model '{model_id}' is registered already; register another version."
        )


class AiRefused(DomainError):
    """The provider understood and refused: its rules, its limits, or a request that it does not take."""

    kind = Kind.INVALID
    slug = "ai_refused"
    sentence = "The AI service refused the request."


class ProviderNotAllowed(DomainError):
    """`details.provider` is not among those that the organization's policy names."""

    kind = Kind.FORBIDDEN
    slug = "ai_provider_not_allowed"
    sentence = "Your organization does not allow this AI provider."


class CustomModelRefused(DomainError):
    """The model's server understood and refused, or answered with something else than JSON."""

    kind = Kind.INVALID
    slug = "custom_model_refused"
    sentence = "The model refused the question."


class AiUnavailable(DomainError):
    """The model does not answer in time, or its provider refuses the key; `details.retry_after` is in seconds."""

    kind = Kind.UNAVAILABLE
    slug = "ai_unavailable"
    sentence = "The model does not answer."
