"""What can go wrong with security's own things."""

from __future__ import annotations

from auterity.kernel.errors import DomainError, Kind


class AlertRuleNotFound(DomainError):
    kind = Kind.NOT_FOUND
    slug = "alert_rule_not_found"
    sentence = "There is no such alert rule in this organization."


class ChannelRefused(DomainError):
    """`details.channel` is the one that is refused."""

    slug = "alert_channel_refused"
    sentence = "Alerts cannot be delivered there."


class DuplicateIncident(DomainError):
    """The same reporter, title and category within five minutes. `details.incident_id` is the first one."""

    kind = Kind.CONFLICT
    slug = "duplicate_incident"
    sentence = "You have just reported this."


class IncidentNotFound(DomainError):
    kind = Kind.NOT_FOUND
    slug = "incident_not_found"
    sentence = "There is no such incident in this organization."


class ReservedEvent(DomainError):
    slug = "reserved_event"
    sentence = "Events of this name are recorded by the product itself. Yours begin with custom."


class TierAlreadyHeld(DomainError):
    kind = Kind.CONFLICT
    slug = "tier_already_held"
    sentence = "You have this tier or a higher one."


class TierNotAllowed(DomainError):
    kind = Kind.FORBIDDEN
    slug = "tier_not_allowed"
    sentence = "Your organization reserves this tier for other roles."
