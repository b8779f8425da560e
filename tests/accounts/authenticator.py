"""An authenticator app, as a person has one."""

from __future__ import annotations

from base64 import b32decode
from datetime import datetime

from django.utils import timezone

from accounts import second_factors, totp
from auterity.kernel.access import Actor


class App:
    """Shows the codes of one secret. RFC 6238 is tested against its own vectors in `test_totp`."""

    def __init__(self, secret: str) -> None:
        self._secret = b32decode(secret)

    def code(self, now: datetime | None = None, *, steps: int = 0) -> str:
        """The code of this moment, or of so many steps later."""
        return totp.code_of(self._secret, int((now or timezone.now()).timestamp()) // 30 + steps)

    def wrong(self, now: datetime | None = None) -> str:
        """Six digits that are no code of the minutes around this moment."""
        near = {self.code(now, steps=each) for each in range(-8, 9)}
        return next(f"{each:06d}" for each in range(1000) if f"{each:06d}" not in near)


def enable(actor: Actor, *, now: datetime) -> tuple[App, list[str]]:
    """Set an authenticator up at a moment; its codes of that step are used up. Returns the app and the backup codes."""
    app = App(second_factors.begin(actor=actor, now=now).secret)
    return app, second_factors.confirm(actor=actor, code=app.code(now), now=now).backup_codes
