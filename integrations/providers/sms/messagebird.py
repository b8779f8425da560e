"""MessageBird's SMS API (rest.messagebird.com)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field, SecretStr

from engine.ports import Rejected, Sms, SmsReceipt, Unknown
from integrations.connection_types import Credentials, Settings, connection_type
from integrations.json_api import JsonApi, Reply, refusal_of
from integrations.mail import digest
from integrations.urls import WebAddress

LISTED = 100  # messages to one number that a look-up reads
_STATUS = {
    "scheduled": "queued", "buffered": "queued", "sent": "sent", "delivered": "delivered", "expired": "failed",
    "delivery_failed": "failed",
}  # fmt: skip


class Config(Settings):
    from_: str = Field(
        alias="from", min_length=2, max_length=17, description="A number, or a name of up to 11 characters."
    )
    api_url: WebAddress = Field(default="https://rest.messagebird.com", description="Where MessageBird's API answers.")


class Secrets(Credentials):
    access_key: SecretStr = Field(min_length=1)


@connection_type("messagebird", kind="sms", title="MessageBird", config=Config, credentials=Secrets, bound=("api_url",))
class MessageBird:
    """`SmsPort` over MessageBird. Each message carries its key's digest as `reference`, by which a look-up knows it again."""

    def __init__(self, config: Config, credentials: Secrets) -> None:
        self._from = config.from_
        self._api = JsonApi(config.api_url, {"Authorization": f"AccessKey {credentials.access_key.get_secret_value()}"})

    def check(self, *, timeout: float) -> str:
        """Reads the balance."""
        reply = self._read("/balance", timeout)
        return f"MessageBird answered; the account is {str(reply.body.get('payment', 'unknown'))[:20]}."

    def send(self, sms: Sms, *, timeout: float) -> SmsReceipt:
        """Raises Rejected, Unavailable (429: not taken), Unknown (no answer, or 5xx)."""
        if sms.media_urls:
            raise Rejected("MessageBird's SMS carries no pictures; put a link into the message instead.")
        message = {
            "originator": sms.sender or self._from,
            "recipients": [sms.to.lstrip("+")],
            "body": sms.text,
            "datacoding": "auto",
            "reference": digest(sms.key),
        }
        reply = self._api.post_json("/messages", message, key=sms.key, timeout=timeout)
        if not reply.ok:
            raise self._refusal(reply, sent=True)
        return self._receipt(reply.body)

    def find(self, sms: Sms, *, timeout: float) -> SmsReceipt | None:
        """The message that carries this key. Raises Unknown when the list ends before the moment the step began."""
        query = {"recipient": sms.to.lstrip("+"), "direction": "mt", "limit": LISTED, "offset": 0}
        reply = self._read("/messages", timeout, query)
        listed = reply.body.get("items")
        if not isinstance(listed, list):
            raise Unknown(
                "MessageBird's list of messages cannot be read, so nobody can tell whether this one was sent."
            )
        messages = [each for each in listed if isinstance(each, dict)]
        reference = digest(sms.key)
        for each in messages:
            if each.get("reference") == reference:
                return self._receipt(each)
        total = reply.body.get("totalCount") or 0
        if (not isinstance(total, int) or total > len(listed)) and not _reaches(messages, sms.asked_at):
            raise Unknown(f"MessageBird has more messages to {sms.to} than a look-up reads.")
        return None

    def _read(self, path: str, timeout: float, query: dict[str, Any] | None = None) -> Reply:
        reply = self._api.get(path, timeout=timeout, query=query)
        if not reply.ok:
            raise self._refusal(reply, sent=False)
        return reply

    def _refusal(self, reply: Reply, *, sent: bool) -> Exception:
        errors = reply.body.get("errors")
        first = errors[0] if isinstance(errors, list) and errors and isinstance(errors[0], dict) else {}
        code = first.get("code")
        said = f"{code} {first.get('description', '')}" if code else ""
        failure = refusal_of("MessageBird", reply, said.rstrip(". "), sent=sent)
        failure.details["code"] = code
        return failure

    def _receipt(self, body: Any) -> SmsReceipt:
        items = body.get("recipients", {}).get("items") if isinstance(body.get("recipients"), dict) else None
        first = items[0] if isinstance(items, list) and items and isinstance(items[0], dict) else {}
        status = _STATUS.get(str(first.get("status")))
        if not isinstance(body.get("id"), str) or status is None:
            raise Unknown("MessageBird's answer is not a message; it may have been sent.")
        price = first.get("price") if isinstance(first.get("price"), dict) else {}
        amount = price.get("amount") if price else None
        cost = float(amount) if isinstance(amount, (int, float)) else None
        return SmsReceipt(body["id"], status, "messagebird", cost, str((price or {}).get("currency") or ""))


def _reaches(messages: list[dict[str, Any]], asked_at: str) -> bool:
    """Whether the list goes back to before the step began: then a message that is not in it was not made."""
    try:
        oldest = min(datetime.fromisoformat(str(each.get("createdDatetime"))) for each in messages)
        return oldest < datetime.fromisoformat(asked_at)
    except (ValueError, TypeError):
        return False
