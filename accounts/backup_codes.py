"""Ten codes that stand in for a lost authenticator, each once. They are shown when they are made and never again."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import transaction

from accounts.models import BackupCode, User
from accounts.tokens import signing_key

COUNT: Final = 10
LENGTH: Final = 12  # 60 bits
_LETTERS: Final = "abcdefghjkmnpqrstvwxyz0123456789"  # 32, without those that are misread


def make(user_id: UUID) -> list[str]:
    """Ten new ones in place of all earlier ones, as they are shown: `abcd-efgh-jkmn`."""
    plain = ["".join(secrets.choice(_LETTERS) for _ in range(LENGTH)) for _ in range(COUNT)]
    with transaction.atomic():
        User.objects.select_for_update().get(pk=user_id)
        BackupCode.objects.filter(user_id=user_id).delete()
        BackupCode.objects.bulk_create([BackupCode(user_id=user_id, code_hash=_hash(user_id, each)) for each in plain])
    return ["-".join(each[at : at + 4] for at in range(0, LENGTH, 4)) for each in plain]


def accept(user_id: UUID, code: str, *, now: datetime) -> bool:
    """Whether it is one of them that was not used; it is used up then. Blanks, dashes and case do not matter."""
    tidy = "".join(each for each in code.lower() if each.isalnum())
    unused = BackupCode.objects.filter(user_id=user_id, code_hash=_hash(user_id, tidy), used_at=None)
    return unused.update(used_at=now) == 1


def left(user_id: UUID) -> int:
    return BackupCode.objects.filter(user_id=user_id, used_at=None).count()


def _hash(user_id: UUID, code: str) -> str:
    """Keyed: whoever reads the database alone cannot try all codes."""
    about = f"{user_id}:{code}".encode("utf-8", "replace")
    return hmac.new(signing_key("backup codes"), about, hashlib.sha256).hexdigest()
