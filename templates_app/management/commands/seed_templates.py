"""`manage.py seed_templates`: bring the product's template catalogue up to date."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from templates_app.seeding import seed_catalogue


class Command(BaseCommand):
    help = "Create and update the built-in templates from templates_app/catalogue/. Safe to run at every start."

    def handle(self, *args: Any, **options: Any) -> None:
        seeded = seed_catalogue()
        for slugs, word in ((seeded.created, "created"), (seeded.updated, "updated"), (seeded.retired, "retired")):
            for slug in slugs:
                self.stdout.write(f"{word} {slug}")
        self.stdout.write(
            f"{len(seeded.created)} created, {len(seeded.updated)} updated, {len(seeded.retired)} retired, "
            f"{len(seeded.unchanged)} unchanged."
        )
