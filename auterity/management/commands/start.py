"""`manage.py start`: what `make run` does. Brings everything up to date, runs the demo on the first start, then serves."""

from __future__ import annotations

import sys
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandParser
from rich.console import Console

from accounts.models import User
from auterity import env
from auterity.management.commands.demo import EMAIL, tell_login


class Command(BaseCommand):
    help = "Migrate, seed the templates, run the demo once, and serve."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=env.read().port)
        parser.add_argument("--workers", type=int, default=1)

    def handle(self, *args: Any, **options: Any) -> None:
        console = Console(highlight=False)
        call_command("check")
        call_command("migrate", verbosity=0)
        call_command("seed_templates")
        if not settings.EMBEDDED:
            call_command("collectstatic", interactive=False, verbosity=0)
        if User.objects.filter(email=EMAIL).exists():
            tell_login(console)
        else:
            call_command("demo")
        console.print(f"[bold green]Auterity is at {settings.PUBLIC_URL}[/]  (stop with Ctrl-C)")
        sys.stdout.flush()
        call_command("serve", host=options["host"], port=options["port"], workers=options["workers"])
