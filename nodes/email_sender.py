"""`email-sender`, which 001 calls `email`: one message (`schemas/node_configs.yaml`; 001, "Create Workflow")."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any
from uuid import NAMESPACE_URL, uuid5

from pydantic import BeforeValidator, Field

from engine.expressions import contains_template
from engine.node import Done, Effect, Failed, NodeConfig, Outcome, Step, node
from engine.ports import Attachment, EmailPort, Mail, MailReceipt, Rejected
from nodes.settings.checks import Problems
from nodes.settings.files import MIB, FileIds, safe_name
from nodes.settings.form_fields import EMAIL
from nodes.settings.text import Text

MAX_RECIPIENTS = 50
MAX_LIST = 20_000  # characters; fifty of the longest addresses fit
_ENTRY = re.compile(r"(?:\"(?:[^\"\\]|\\.)*\"|[^\",;])+")
_NAMED = re.compile(r"[^<>]*<([^<>]+)>")
MAX_ATTACHMENTS = 20
MAX_ATTACHED = 20 * MIB


def _without_blanks(given: Any) -> Any:
    """Nobody, where a template gave null; `run` then says so."""
    if isinstance(given, list):
        return [each for each in given if each not in (None, "")]
    return "" if given is None else given


Addresses = Annotated[str | list[str], BeforeValidator(_without_blanks)]


class Config(NodeConfig):
    to: Addresses = Field(description="Who receives it: an address, several separated by commas, or a list.")
    cc: Addresses = Field(default=[], description="Who receives a copy.")
    bcc: Addresses = Field(default=[], description="Who receives a copy unseen.")
    from_: Text = Field(default="", alias="from", description="The sender; the organization's own if not given.")
    reply_to: Text = Field(default="", description="Where answers go.")
    subject: Text = Field(default="", description="The subject line.")
    text: Text = Field(default="", description="The message as plain text.")
    html: Text = Field(
        default="",
        description="The message as HTML. Every value put in is escaped.",
        json_schema_extra={"x-escape": "html"},
    )
    template: Text = Field(default="", description="The name of a stored message, instead of subject, text and html.")
    template_data: dict[str, Any] = Field(
        default={}, description="Values for the stored message, over the execution's inputs."
    )
    attachments: FileIds = Field(
        default=[], description="Stored files by id, or outputs of steps that made one; 20 MiB together."
    )
    connection_id: Text | None = Field(
        default=None, description="A stored connection of type smtp; the server's own mail if not given."
    )


def check(config: Config) -> Problems:
    problems: Problems = []
    if not config.to:
        problems.append(("to", "A mail needs at least one recipient."))
    if not config.template:
        if not config.subject:
            problems.append(("subject", "Give a subject, or name a stored message in template."))
        if not (config.text or config.html):
            problems.append(("text", "Give text or html, or name a stored message in template."))
    for name in ("to", "cc", "bcc", "from_", "reply_to"):
        given = getattr(config, name)
        if given and not contains_template(given):
            problems.extend((name.strip("_"), problem) for problem in _addresses(given)[1])
    return problems


def lookup(config: Config, step: Step) -> Outcome | None:
    """After a crash: what became of the mail that carries this step's key."""
    receipt = _port(config, step).find(step.key)
    return None if receipt is None else _done(step, receipt)


def sample(config: Config) -> dict[str, Any]:
    """As if it had been sent."""
    return {
        "email_sent": True,
        "email_id": str(uuid5(NAMESPACE_URL, "sample")),
        "message_id": "<sample@example.com>",
        "status": "sent",
        "provider": "sample",
    }


@node(
    "email-sender",
    title="Send e-mail",
    config=Config,
    effect=Effect.UNKEYED,
    aliases=("email",),
    check=check,
    lookup=lookup,
    sample=sample,
)
def run(config: Config, step: Step) -> Outcome:
    """Sends one e-mail, written here or stored as a message template."""
    subject, text, markup = _message(config, step)
    mail = Mail(
        key=step.key,
        to=_addresses(config.to)[0],
        cc=_addresses(config.cc)[0],
        bcc=_addresses(config.bcc)[0],
        sender=config.from_.strip(),
        reply_to=config.reply_to.strip(),
        subject=subject.strip(),
        text=text,
        html=markup,
    )
    if problems := _unsendable(config, mail):
        told = " ".join(f"{name}: {sentence}" for name, sentence in problems)
        return Failed("rejected", f"The mail was not sent. {told}", {"fields": dict(problems)})
    if config.attachments:
        mail = replace(mail, attachments=_attached(config, step))
    return _done(step, _port(config, step).send(mail, timeout=step.timeout))


def _port(config: Config, step: Step) -> EmailPort:
    return step.ports.connections.email(config.connection_id) if config.connection_id else step.ports.email


def _message(config: Config, step: Step) -> tuple[str, str, str]:
    """Subject, text and HTML. What the step gives itself goes before what the stored message says."""
    if not config.template:
        return config.subject, config.text, config.html
    stored = step.ports.messages.template(config.template)
    data = {**step.inputs, **config.template_data}
    return (
        config.subject or step.render(stored.subject, data),
        config.text or step.render(stored.text, data),
        config.html or step.render(stored.html, data, html.escape),
    )


def _attached(config: Config, step: Step) -> list[Attachment]:
    """The files. Raises Rejected where one is missing, or all of them together are too large."""
    found: list[Attachment] = []
    size = 0
    for file_id in config.attachments:
        with step.ports.files.open(file_id) as file:
            size += file.size
            if size > MAX_ATTACHED:
                raise Rejected(
                    f"The mail was not sent. Its attachments have more than {MAX_ATTACHED // MIB} MiB together; '{file.name}' "
                    "does not fit any more. Send a link instead.",
                    fields={"attachments": "They are too large."},
                )
            found.append(Attachment(safe_name(file.name, "attachment"), file.media_type, file.read()))
    return found


def _unsendable(config: Config, mail: Mail) -> Problems:
    """What is wrong with the rendered message; each with its field."""
    problems: Problems = []
    for name in ("to", "cc", "bcc", "from_", "reply_to"):
        problems.extend((name.strip("_"), problem) for problem in _addresses(getattr(config, name))[1])
    count = len(mail.to) + len(mail.cc) + len(mail.bcc)
    if not mail.to and not any(name == "to" for name, _ in problems):
        problems.append(("to", "There is no recipient; the value it was made from is empty."))
    if count > MAX_RECIPIENTS:
        problems.append(("to", f"One mail may have {MAX_RECIPIENTS} recipients; this one has {count}."))
    if len(config.attachments) > MAX_ATTACHMENTS:
        told = f"One mail may carry {MAX_ATTACHMENTS} files; this one has {len(config.attachments)}."
        problems.append(("attachments", told))
    if re.search(r"[\r\n\x00]", mail.subject):
        problems.append(("subject", "A subject is one line; take the line breaks out of the values in it."))
    if not mail.subject:
        problems.append(("subject", "The subject is empty."))
    if not (mail.text.strip() or mail.html.strip()):
        problems.append(("text", "The message is empty."))
    return problems


def _addresses(given: str | Sequence[str]) -> tuple[list[str], list[str]]:
    """The addresses, each once, and a sentence for each entry that is none. `Jane <jane@example.com>` is one."""
    good: dict[str, str] = {}
    bad: list[str] = []
    for text in [given] if isinstance(given, str) else given:
        if re.search(r"[\r\n\x00]", text):
            bad.append("An address must not hold line breaks; separate several by commas.")
            continue
        if len(text) > MAX_LIST:
            bad.append(f"One mail may have {MAX_RECIPIENTS} recipients; this list is {len(text):,} characters long.")
            continue
        for entry in filter(None, (each.strip() for each in _ENTRY.findall(text))):
            named = _NAMED.fullmatch(entry)
            address = (named[1] if named else entry).strip()
            if EMAIL.fullmatch(address):
                good.setdefault(address.lower(), entry)
            else:
                bad.append(f"{entry[:80]!r} is no e-mail address; write jane@example.com or Jane <jane@example.com>.")
    return list(good.values()), bad


def _done(step: Step, receipt: MailReceipt) -> Done:
    return Done(
        {
            "email_sent": receipt.status in ("sent", "queued"),
            "email_id": str(uuid5(NAMESPACE_URL, step.key)),
            "message_id": receipt.message_id,
            "status": receipt.status,
            "provider": receipt.provider,
        },
        receipt=receipt.message_id,
        confirmed=receipt.status != "queued",
    )
