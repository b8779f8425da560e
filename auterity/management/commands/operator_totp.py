"""`manage.py operator_totp`: an authenticator app for somebody who has no organization to log in to."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from accounts import second_factors, totp
from accounts.models import User, normal_email
from auterity.kernel.errors import DomainError


class Command(BaseCommand):
    help = "Set an authenticator app up: shows its secret, asks for its first code, shows ten backup codes."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.filter(email=normal_email(options["email"])).first()
        if user is None:
            raise CommandError("There is no such account.")
        try:
            made = totp.begin(user, now=timezone.now())
            self.stdout.write(f"Secret for the app: {made.secret}\n{made.uri}\n")
            done = second_factors.confirm_for(user, code=input("Its code now: ").strip())
        except DomainError as error:
            raise CommandError(error.message) from None
        self.stdout.write("It counts from now on. Backup codes, each good once:\n" + "\n".join(done.backup_codes))
