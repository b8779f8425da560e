"""What a node may ask of the outside world, and the three ways the outside world can fail. Pure: no implementation here.

Providers in `integrations/providers/` satisfy these; `engine/testing.py` has in-memory ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from engine.waiting import Person


class PortFailure(Exception):
    """Base of outside failures. `message` is a sentence for people; it never carries a secret."""

    code = "outside_failure"

    def __init__(self, message: str, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.details = details


class Rejected(PortFailure):
    """The other side understood and said no; trying again cannot help."""

    code = "rejected"


class Unavailable(PortFailure):
    """The other side was not reached or is overloaded, and nothing was done; trying again can help."""

    code = "unavailable"


class TimedOut(Unavailable):
    """Nothing was sent before the deadline."""

    code = "timeout"


class Unknown(PortFailure):
    """It was sent and no answer came: it may or may not have happened. Look it up before repeating."""

    code = "unknown_outcome"


class NotConfigured(Rejected):
    """No connection or key is set up for this; the message says which setting is missing."""

    code = "not_configured"


@dataclass(frozen=True, slots=True)
class Usage:
    """What one AI call consumed. `cost_usd` is an estimate from the price list; 0 for local and offline models."""

    provider: str
    model: str
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_usd: float = 0.0
    duration_ms: float = 0.0

    @property
    def total_tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens


@dataclass(frozen=True, slots=True)
class Mail:
    """One message. Addresses are plain strings; `key` makes the Message-ID, so that a repeat is recognised."""

    key: str
    to: Sequence[str]
    subject: str
    text: str = ""
    html: str = ""
    cc: Sequence[str] = ()
    bcc: Sequence[str] = ()
    sender: str = ""
    reply_to: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MailReceipt:
    """`status` is sent, queued or failed (000, EmailResponse)."""

    message_id: str
    status: str
    provider: str


class EmailPort(Protocol):
    def send(self, mail: Mail, *, timeout: float) -> MailReceipt:
        """Send once. Raises Rejected, Unavailable or Unknown."""
        ...

    def find(self, key: str) -> MailReceipt | None:
        """The receipt of an earlier send under this key; None where it surely was not sent. Raises Unknown if it can't tell."""
        ...


@dataclass(frozen=True, slots=True)
class MessageTemplate:
    """A stored message that `email-sender` names by `template` (001). Its texts may hold `{{ }}` of `template_data`."""

    name: str
    subject: str
    text: str
    html: str = ""


class MessagesPort(Protocol):
    def template(self, name: str) -> MessageTemplate:
        """Raises Rejected naming the templates there are."""
        ...


@dataclass(frozen=True, slots=True)
class Prompt:
    """One request to a language model. `schema` asks for an object of that JSON Schema.

    `task`, `labels` and `fields` are hints (summarize, classify, extract, draft, free) that the offline provider follows
    and that others receive as part of the instruction.
    """

    key: str
    text: str
    system: str = ""
    model: str = ""
    temperature: float | None = None
    max_tokens: int | None = None
    schema: Mapping[str, Any] | None = None
    task: str = "free"
    labels: Sequence[str] = ()
    fields: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Completion:
    """`data` is the parsed object when a schema, labels or fields were asked for, else None."""

    text: str
    data: Any
    usage: Usage


class LlmPort(Protocol):
    def complete(self, prompt: Prompt, *, timeout: float) -> Completion:
        """Raises Rejected or Unavailable."""
        ...


@dataclass(frozen=True, slots=True)
class HttpCall:
    """One outgoing request. `body` is bytes already encoded; `key` goes out as Idempotency-Key unless the method is safe."""

    key: str
    method: str
    url: str
    query: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    status: int
    headers: Mapping[str, str]
    body: bytes
    elapsed_ms: float


class HttpPort(Protocol):
    def call(self, call: HttpCall, *, timeout: float) -> HttpAnswer:
        """Any status is an answer. Raises Rejected (refused address), Unavailable or Unknown (sent, no answer)."""
        ...


@dataclass(frozen=True, slots=True)
class Asked:
    """Who may answer: people by name, and roles any holder of which may. `holders` are who they are now."""

    people: Sequence[Person]
    roles: Sequence[str]
    holders: Sequence[Person]


class PeoplePort(Protocol):
    def resolve(self, asked: Sequence[str]) -> Asked:
        """E-mail addresses and names of roles. Raises Rejected for a text that is neither."""
        ...

    def link(self, key: str, person: Person) -> str:
        """Where this person, who need not sign in, answers the question of the step with this key."""
        ...


@dataclass(frozen=True, slots=True)
class NewRun:
    """A run that a step starts: of a workflow (`version` None: the newest), or of the body that the step's node holds.

    `item` counts the runs of one step; the same one is never started twice. A `detached` run goes on when its step's run ends.
    """

    item: int
    inputs: Mapping[str, Any]
    workflow_id: str = ""
    version: int | None = None
    detached: bool = False


@dataclass(frozen=True, slots=True)
class EndedRun:
    """`status` is completed, failed, cancelled or timeout; `output` is there when it completed."""

    id: str
    item: int
    status: str
    output: Any
    error: str


@dataclass(frozen=True, slots=True)
class RunCounts:
    live: int
    completed: int
    failed: int  # cancelled and timed out ones too


class RunsPort(Protocol):
    """Runs that a step starts. `attempt` keeps the runs of a step that is tried again apart."""

    def start(self, key: str, attempt: int, runs: Sequence[NewRun]) -> Sequence[str]:
        """Accept them, each once however often this is called; returns their ids. Raises Rejected (no such workflow)."""
        ...

    def counts(self, key: str, attempt: int) -> RunCounts: ...

    def ended(self, key: str, attempt: int, *, after: int = -1, limit: int = 500) -> Sequence[EndedRun]:
        """Ended runs with an item above `after`, by item."""
        ...

    def cancel(self, key: str, attempt: int) -> None:
        """End those that are live."""
        ...


@dataclass(frozen=True, slots=True)
class Ports:
    """Everything outside, as one organization may use it."""

    email: EmailPort
    messages: MessagesPort
    llm: LlmPort
    http: HttpPort
    people: PeoplePort
    runs: RunsPort
