"""The default for text messages: kept as rows that operators can see, one a key, and sent to nobody."""

from __future__ import annotations

from uuid import UUID

from pydantic import BaseModel

from engine.ports import Sms, SmsReceipt
from integrations.connected import looking_up
from integrations.models import StoredSms
from integrations.registry import provider


class Config(BaseModel):
    organization_id: UUID


@provider("sms", "outbox", title="Stored text messages", config=Config)
class Outbox:
    """`SmsPort` that keeps the message. "queued" says honestly that no phone has it."""

    def __init__(self, config: Config) -> None:
        self._organization_id = config.organization_id

    def send(self, sms: Sms, *, timeout: float) -> SmsReceipt:
        """Keep it once. A repeat with the same key changes nothing and returns the first receipt."""
        row = StoredSms(
            organization_id=self._organization_id,
            key=sms.key,
            recipient=sms.to,
            sender=sms.sender,
            text=sms.text,
            media_urls=list(sms.media_urls),
        )
        with looking_up():
            StoredSms.unscoped.bulk_create([row], ignore_conflicts=True)
        receipt = self.find(sms, timeout=timeout)
        assert receipt is not None  # noqa: S101  It was stored a moment ago, and nobody deletes these rows.
        return receipt

    def find(self, sms: Sms, *, timeout: float) -> SmsReceipt | None:
        """The receipt of an earlier send; None means that it surely was not kept."""
        with looking_up():
            row = StoredSms.objects.of(self._organization_id).filter(key=sms.key).first()
        return None if row is None else SmsReceipt(str(row.pk), "queued", "outbox")
