"""Twilio's Programmable Messaging (REST API 2010-04-01)."""

from __future__ import annotations

from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote

from pydantic import Field, SecretStr

from engine.ports import Rejected, Sms, SmsReceipt, Unknown
from integrations.connection_types import Credentials, Settings, connection_type
from integrations.json_api import JsonApi, Reply, basic, refusal_of
from integrations.urls import WebAddress

MAX_CHARACTERS = 1600
LISTED = 200  # messages to one number that a look-up reads
SKEW = timedelta(seconds=2)  # Twilio's times are whole seconds of its own clock
_BUSY = {20429, 14107, 30022}  # Twilio's codes for "too many requests"
_STATUS = {
    "accepted": "queued", "scheduled": "queued", "queued": "queued", "sending": "queued", "sent": "sent",
    "delivered": "delivered", "read": "delivered", "undelivered": "failed", "failed": "failed", "canceled": "failed",
}  # fmt: skip


class Config(Settings):
    from_: str = Field(
        alias="from", min_length=2, max_length=40, description="A number as +15125550100, or a messaging service MG…"
    )
    api_url: WebAddress = Field(default="https://api.twilio.com", description="Where Twilio's API answers.")


class Secrets(Credentials):
    account_sid: str = Field(min_length=2, max_length=64)
    auth_token: SecretStr = Field(min_length=1)


@connection_type("twilio", kind="sms", title="Twilio", config=Config, credentials=Secrets, bound=("api_url",))
class Twilio:
    """`SmsPort` over Twilio. It knows no idempotency key, so a look-up compares receiver, sender, text and time."""

    def __init__(self, config: Config, credentials: Secrets) -> None:
        self._from = config.from_
        self._account = f"/2010-04-01/Accounts/{quote(credentials.account_sid, safe='')}"
        token = credentials.auth_token.get_secret_value()
        self._api = JsonApi(config.api_url, {"Authorization": basic(credentials.account_sid, token)})

    def check(self, *, timeout: float) -> str:
        """Reads the account."""
        reply = self._read(f"{self._account}.json", timeout)
        if reply.body.get("status") != "active":
            raise Rejected(f"Twilio answered; the account is {str(reply.body.get('status'))[:40]}, not active.")
        return f"Twilio knows the account {str(reply.body.get('friendly_name', ''))[:80]!r}."

    def send(self, sms: Sms, *, timeout: float) -> SmsReceipt:
        """Raises Rejected, Unavailable (429: not taken), Unknown (no answer, or 5xx)."""
        if len(sms.text) > MAX_CHARACTERS:
            raise Rejected(f"Twilio takes {MAX_CHARACTERS} characters a message; this one has {len(sms.text)}.")
        sender = sms.sender or self._from
        pairs = [("To", sms.to), ("MessagingServiceSid" if sender.startswith("MG") else "From", sender)]
        pairs += [("Body", sms.text)] if sms.text else []
        pairs += [("MediaUrl", each) for each in sms.media_urls]
        reply = self._api.post_form(f"{self._account}/Messages.json", pairs, key=sms.key, timeout=timeout)
        if not reply.ok:
            raise self._refusal(reply, sent=True)
        return self._receipt(reply.body)

    def find(self, sms: Sms, *, timeout: float) -> SmsReceipt | None:
        """The one message with this receiver, sender and text made since the step began.

        None only where nothing went from this sender to this number since: Twilio may change a text (trial accounts,
        smart encoding), so another text may be this one. Raises Unknown then, and when the list does not go back so far.
        """
        query = {"To": sms.to, "PageSize": LISTED}
        reply = self._read(f"{self._account}/Messages.json", timeout, query)
        listed = reply.body.get("messages")
        if not isinstance(listed, list) or not sms.asked_at:
            raise Unknown("Twilio's list of messages cannot be read, so nobody can tell whether this one was sent.")
        since = datetime.fromisoformat(sms.asked_at) - SKEW
        made = [(each, _moment(each)) for each in listed if isinstance(each, dict)]
        recent = [each for each, at in made if at is None or at >= since]
        ours = [each for each in recent if self._is_ours(sms, each)]
        same = [each for each in ours if each.get("body") == sms.text]
        if len(same) > 1:
            raise Unknown(f"Twilio has {len(same)} such messages to {sms.to} since then; one of them may be this one.")
        if same:
            return self._receipt(same[0])
        if ours:
            raise Unknown(f"Twilio has a message to {sms.to} since then whose text differs; it may be this one.")
        if len(recent) == len(listed) and reply.body.get("next_page_uri"):
            raise Unknown(f"Twilio has more messages to {sms.to} than a look-up reads.")
        return None

    def _is_ours(self, sms: Sms, listed: dict[str, Any]) -> bool:
        sender = sms.sender or self._from
        by = listed.get("messaging_service_sid") if sender.startswith("MG") else listed.get("from")
        return (listed.get("to"), by) == (sms.to, sender)

    def _read(self, path: str, timeout: float, query: dict[str, Any] | None = None) -> Reply:
        reply = self._api.get(path, timeout=timeout, query=query)
        if not reply.ok:
            raise self._refusal(reply, sent=False)
        return reply

    def _refusal(self, reply: Reply, *, sent: bool) -> Exception:
        code = reply.body.get("code")
        if isinstance(code, int) and code in _BUSY:
            reply = Reply(429, reply.body, reply.retry_after)
        said = f"{code} {reply.body.get('message', '')}" if code else ""
        failure = refusal_of("Twilio", reply, said.rstrip(". "), sent=sent)
        failure.details["code"] = code
        return failure

    def _receipt(self, body: Any) -> SmsReceipt:
        sid, status = body.get("sid"), _STATUS.get(str(body.get("status")))
        if not isinstance(sid, str) or status is None:
            raise Unknown("Twilio's answer is not a message; it may have been sent.")
        return SmsReceipt(sid, status, "twilio", _cost(body.get("price")), str(body.get("price_unit") or ""))


def _cost(price: Any) -> float | None:
    """Twilio gives what it takes as a negative text; None until the message was sent."""
    try:
        return abs(float(price))
    except (TypeError, ValueError):
        return None


def _moment(listed: dict[str, Any]) -> datetime | None:
    """None where there is none, or one that does not say where on earth it is meant."""
    try:
        at = parsedate_to_datetime(str(listed.get("date_created")))
    except ValueError:
        return None
    return at if at.tzinfo else None
