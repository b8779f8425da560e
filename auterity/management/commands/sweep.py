"""`manage.py sweep`: delete what organizations no longer keep. Workers do it by themselves too; this is for a cron job."""

from __future__ import annotations

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import connection

from executions import retention


class Command(BaseCommand):
    help = "Delete what is older than the organizations' retention rules, in small batches."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--once", action="store_true", help="Stop when nothing is left to delete, instead of going on."
        )
        parser.add_argument("--limit", type=int, default=retention.LIMIT, help="Rows a round deletes.")

    def handle(self, *args: Any, **options: Any) -> None:
        while True:
            swept = retention.sweep(limit=options["limit"])
            for what, count in swept.counts.items():
                self.stdout.write(f"{count:,} {what} deleted")
            if swept.more:
                continue
            if options["once"]:
                self.stdout.write("Nothing more to delete.")
                return
            connection.close()
            time.sleep(retention.EVERY_SECONDS)
