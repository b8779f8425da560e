"""`manage.py seal_secrets`: secrets that older editions left in the clear in definitions are sealed where they stand."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser

from templates_app.sealing_stored import seal_templates
from workflows.sealing_stored import seal_operations, seal_versions


class Command(BaseCommand):
    help = (
        "Seal secret settings and credentials in headers that workflows, edits and templates hold in the clear. Run it once "
        "every process is of an edition that can open them; it may be run again at any time."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--organization", help="Only this organization's (its id); else everybody's.")

    def handle(self, *args: Any, organization: str | None, **options: Any) -> None:
        try:
            wanted = UUID(organization) if organization else None
        except ValueError as error:
            raise CommandError(f"'{organization}' is not an organization's id.") from error
        versions = seal_versions(organization_id=wanted)
        edits = seal_operations(organization_id=wanted)
        templates = seal_templates(organization_id=wanted)
        self.stdout.write(f"Sealed the secrets of {versions} versions, {edits} edits and {templates} templates.")
