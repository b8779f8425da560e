"""How the product is, as a whole (001, System Health; contract README, decision 13)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

from django.conf import settings
from django.utils import timezone

from monitoring import watched
from monitoring.probes import GOOD, Health, Reading, look_at


@dataclass(frozen=True, slots=True)
class Report:
    """`services` are readings by name. Unhealthy is when the database is away; anything else that is wrong is degraded."""

    at: dt.datetime
    health: Health
    services: Mapping[str, Reading]
    ai_services: Mapping[str, Reading]

    @property
    def serving(self) -> bool:
        return self.health is not Health.UNHEALTHY


def report() -> Report:
    """Everything, looked at side by side."""
    services, ai_services = watched.look_at_all()
    failing = [each for each in ai_services.values() if each.health is Health.UNHEALTHY]
    return Report(timezone.now(), _whole(services, bool(failing)), services, ai_services)


def essentials() -> Report:
    """The database and Redis alone: what a balancer asks every few seconds."""
    services = look_at(watched.ESSENTIAL)
    return Report(timezone.now(), _whole(services, False), services, {})


def environment() -> str:
    """How this server runs (001's `environment`): `embedded` without services, else `production` or `development`."""
    if settings.EMBEDDED:
        return "embedded"
    return "development" if settings.DEBUG else "production"


def _whole(services: Mapping[str, Reading], more_wrong: bool) -> Health:
    if services["database"].health not in GOOD:
        return Health.UNHEALTHY
    wrong = more_wrong or any(each.health not in GOOD for each in services.values())
    return Health.DEGRADED if wrong else Health.HEALTHY
