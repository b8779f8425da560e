"""`manage.py vault status|rotate|rewrap|prune`: the keys that stored credentials are protected by."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser

from auterity.kernel.vault import newest_server_key
from vault import selectors, services


class Command(BaseCommand):
    help = "Look at data keys, begin new ones, put them under the newest server key, or destroy what nothing needs."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("action", choices=["status", "rotate", "rewrap", "prune"])
        parser.add_argument("--organization", help="Only this organization's (its id); else all that have keys.")

    def handle(self, *args: Any, action: str, organization: str | None, **options: Any) -> None:
        getattr(self, f"_{action}")(organization)

    def _status(self, organization: str | None) -> None:
        found = selectors.standing()
        self.stdout.write(
            f"{found.keys} data keys, {found.retired} of them retired, {found.behind} not yet under the newest server key "
            f"({newest_server_key()})."
        )

    def _rotate(self, organization: str | None) -> None:
        for each in self._organizations(organization):
            done = services.rotate(organization_id=each)
            left = "".join(f", {count} in {name} cannot be opened" for name, count in done.left.items())
            self.stdout.write(f"{each}: a new key; {done.moved} stored secrets are under it{left}.")

    def _prune(self, organization: str | None) -> None:
        for each in self._organizations(organization):
            self.stdout.write(f"{each}: {services.prune(organization_id=each)} keys destroyed.")

    def _rewrap(self, organization: str | None) -> None:
        if organization:
            raise CommandError("A server key is everybody's: leave out --organization.")
        count = services.rewrap()
        self.stdout.write(
            f"{count} data keys put under the newest server key. Older ones may leave AUTERITY_VAULT_KEYS now."
        )

    def _organizations(self, wanted: str | None) -> Iterator[UUID]:
        if wanted:
            try:
                yield UUID(wanted)
            except ValueError as error:
                raise CommandError(f"'{wanted}' is not an organization's id.") from error
            return
        yield from selectors.organizations()
