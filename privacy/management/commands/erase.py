"""`manage.py erase user|organization|keep ID`: what the API lets people do by themselves, for operators who were asked to."""

from __future__ import annotations

import datetime as dt
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from accounts.models import Organization, User, normal_email
from auterity.kernel.errors import DomainError
from privacy import jobs, services
from privacy.models import Erasure


class Command(BaseCommand):
    help = (
        "Erase a person (by id or address) or an organization (by id), or keep an organization that was to be erased."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("what", choices=["user", "organization", "keep"])
        parser.add_argument("whom")
        parser.add_argument("--now", action="store_true", help="Without the time of grace, and wait until it is done.")

    def handle(self, *args: Any, what: str, whom: str, now: bool, **options: Any) -> None:
        try:
            erasure = getattr(self, f"_{what}")(whom, now)
        except DomainError as error:
            raise CommandError(error.message) from error
        if erasure.cancelled_at is not None:
            self.stdout.write(f"{erasure.subject} {erasure.subject_id} is kept.")
            return
        if now:
            self._finish(erasure)
            return
        self.stdout.write(f"{erasure.subject} {erasure.subject_id} is erased from {erasure.due_at:%Y-%m-%d %H:%M} on.")

    def _user(self, whom: str, _now: bool) -> Erasure:
        rows = User.objects.filter(email=normal_email(whom)) if "@" in whom else User.objects.filter(pk=_id(whom))
        user = rows.first()
        if user is None:
            raise CommandError(f"There is no account '{whom}'.")
        return services.erase_person(user_id=user.pk)

    def _organization(self, whom: str, now: bool) -> Erasure:
        if not Organization.objects.filter(pk=_id(whom)).exists():
            raise CommandError(f"There is no organization '{whom}'.")
        grace = dt.timedelta(0) if now else settings.PRIVACY["grace"]
        return services.erase_organization_by_operator(organization_id=_id(whom), grace=grace)

    def _keep(self, whom: str, _now: bool) -> Erasure:
        return services.call_off(subject_id=_id(whom))

    def _finish(self, erasure: Erasure) -> None:
        moment = timezone.now()
        while erasure.finished_at is None:
            jobs.run_due(now=moment)
            erasure.refresh_from_db()
            if erasure.attempts > jobs.ATTEMPTS:
                raise CommandError("It could not be finished now; workers go on with it.")
            moment += jobs.SETTLED + jobs.LEASE
        for table, rows in sorted(erasure.counts.items()):
            self.stdout.write(f"{rows:,} rows of {table}")


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise CommandError(f"'{text}' is not an id.") from error
