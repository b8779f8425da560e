"""`manage.py serve`: the web server, with the worker inside it when embedded."""

from __future__ import annotations

from typing import Any

import uvicorn
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from auterity import env
from auterity.server import SERVED


class Command(BaseCommand):
    help = "Serve HTTP and sockets. Embedded (no DATABASE_URL), the worker runs in the same process."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=env.read().port)
        parser.add_argument("--workers", type=int, default=1)

    def handle(self, *args: Any, **options: Any) -> None:
        if settings.EMBEDDED and options["workers"] > 1:
            raise CommandError(
                "The embedded mode is one process. Set DATABASE_URL and REDIS_URL to serve with several."
            )
        settings.STATIC_ROOT.mkdir(parents=True, exist_ok=True)
        uvicorn.run(
            "auterity.asgi:application",
            host=options["host"],
            port=options["port"],
            workers=options["workers"],
            **SERVED,
        )
