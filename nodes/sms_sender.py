"""`sms-sender`: one text message (`schemas/node_configs.yaml`; 000, SMSRequest)."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

from pydantic import Field

from engine.expressions import contains_template
from engine.node import Done, Effect, Failed, NodeConfig, Outcome, Step, node
from engine.ports import Sms, SmsPort, SmsReceipt
from nodes.formats.phones import to_e164
from nodes.formats.sms import segments
from nodes.settings.checks import Problems
from nodes.settings.text import Text

MAX_SEGMENTS = 10
MAX_MEDIA = 10
_SENDER = re.compile(r"\+?[0-9]{3,15}|(?=.*[A-Za-z])[A-Za-z0-9 ]{1,11}|MG[0-9a-fA-F]{32}")


class Config(NodeConfig):
    to: Text = Field(description="Whose phone: +15125550143, or a number as it is dialled in its country.")
    country: Text = Field(
        default="", description="The country of a number without +, such as US; North America if not given."
    )
    from_: Text = Field(
        default="", alias="from", description="The sending number or name; the provider's own if not given."
    )
    message: Text = Field(default="", description=f"The text, up to {MAX_SEGMENTS} segments of 160 characters.")
    media_urls: list[Text] = Field(
        default=[], description="Addresses of pictures, where the provider sends them (MMS)."
    )
    connection_id: Text | None = Field(
        default=None, description="A stored connection; the server's own provider if not given."
    )


def check(config: Config) -> Problems:
    problems: Problems = []
    if not config.to:
        problems.append(("to", "A text message needs a number to go to."))
    elif not contains_template(config.to) and to_e164(config.to, config.country) is None:
        problems.append(("to", _unclear(config)))
    if not (config.message or config.media_urls):
        problems.append(("message", "Write what the message says."))
    sender = config.from_.strip()
    if sender and not contains_template(sender) and not _SENDER.fullmatch(sender):
        problems.append(("from", "A sender is a number such as +15125550100, or up to 11 letters and digits."))
    if not contains_template(config.message):
        problems.extend(_too_long(config.message))
    return problems


def lookup(config: Config, step: Step) -> Outcome | None:
    """After a crash: what became of this step's message."""
    sms = _sms(config, step)
    if isinstance(sms, Failed):
        return None  # It could never have been sent.
    receipt = _port(config, step).find(sms, timeout=step.timeout)
    return None if receipt is None else _done(sms, receipt)


def sample(_config: Config) -> dict[str, Any]:
    return {"message_id": "sample", "status": "queued", "cost": None, "provider": "sample"}


@node(
    "sms-sender",
    title="Send text message",
    config=Config,
    effect=Effect.UNKEYED,
    check=check,
    lookup=lookup,
    sample=sample,
)
def run(config: Config, step: Step) -> Outcome:
    """Sends one text message to a phone."""
    sms = _sms(config, step)
    if isinstance(sms, Failed):
        return sms
    return _done(sms, _port(config, step).send(sms, timeout=step.timeout))


def _port(config: Config, step: Step) -> SmsPort:
    return step.ports.connections.sms(config.connection_id) if config.connection_id else step.ports.sms


def _sms(config: Config, step: Step) -> Sms | Failed:
    number = to_e164(config.to, config.country)
    problems: Problems = [] if number else [("to", _unclear(config))]
    problems += [("message", "The message is empty.")] if not (config.message.strip() or config.media_urls) else []
    problems += _too_long(config.message)
    if len(config.media_urls) > MAX_MEDIA:
        problems.append(
            ("media_urls", f"One message may carry {MAX_MEDIA} pictures; this has {len(config.media_urls)}.")
        )
    if not all(_is_address(each) for each in config.media_urls):
        problems.append(("media_urls", "A picture is given by its address, which begins with https://."))
    if problems or number is None:
        told = " ".join(f"{name}: {sentence}" for name, sentence in problems)
        return Failed("rejected", f"The message was not sent. {told}", {"fields": dict(problems)})
    return Sms(
        key=step.key,
        to=number,
        text=config.message.replace("\r\n", "\n"),
        sender=config.from_.strip(),
        media_urls=tuple(config.media_urls),
        asked_at=step.now,
    )


def _unclear(config: Config) -> str:
    hint = "" if config.country else " or give its country"
    return f"{config.to[:40]!r} leaves room for doubt; write it as +15125550143{hint}."


def _too_long(message: str) -> Problems:
    if len(message) > 160 * MAX_SEGMENTS or segments(message) > MAX_SEGMENTS:
        return [("message", f"A text message may take {MAX_SEGMENTS} segments; shorten this one.")]
    return []


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme == "https" and bool(parts.hostname)


def _done(sms: Sms, receipt: SmsReceipt) -> Done | Failed:
    if receipt.status == "failed":
        return Failed(
            "rejected",
            f"{receipt.provider} did not deliver the message to {sms.to}.",
            {"message_id": receipt.message_id},
        )
    return Done(
        {
            "message_id": receipt.message_id,
            "status": receipt.status,
            "to": sms.to,
            "segments": segments(sms.text),
            "cost": receipt.cost,
            "currency": receipt.currency,
            "provider": receipt.provider,
        },
        receipt=receipt.message_id,
        confirmed=receipt.status != "queued",
    )
