"""What a node may ask of the outside world, and the three ways the outside world can fail. Pure: no implementation here.

Providers in `integrations/providers/` satisfy these; `engine/testing.py` has in-memory ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from engine.house_ports import FilesPort, PeoplePort, RunsPort


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
class Attachment:
    """A file that a mail carries."""

    name: str
    media_type: str
    content: bytes = field(repr=False)


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
    attachments: Sequence[Attachment] = ()


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
class Sms:
    """One text message. `to` is E.164; `sender` a number, a name or empty for the provider's own; `media_urls` are pictures.

    `asked_at` is when the step began (RFC 3339): a look-up by a provider without keys searches from there on.
    """

    key: str
    to: str
    text: str
    sender: str = ""
    media_urls: Sequence[str] = ()
    asked_at: str = ""


@dataclass(frozen=True, slots=True)
class SmsReceipt:
    """`status` is queued, sent, delivered or failed; `cost` is in `currency` and None where the provider has not said it yet."""

    message_id: str
    status: str
    provider: str
    cost: float | None = None
    currency: str = ""


class SmsPort(Protocol):
    def send(self, sms: Sms, *, timeout: float) -> SmsReceipt:
        """Send once. Raises Rejected, Unavailable or Unknown."""
        ...

    def find(self, sms: Sms, *, timeout: float) -> SmsReceipt | None:
        """The receipt of an earlier send; None where it surely was not sent. Raises Unknown if it can't tell."""
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
class Image:
    """A picture that was checked and made small enough to be shown to a model."""

    media_type: str
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Prompt:
    """One request to a language model, about `images` if there are any. `schema` asks for an object of that JSON Schema.

    `task`, `labels` and `fields` are hints (summarize, classify, extract, draft, free) that the offline provider follows
    and that others receive as part of the instruction. `functions` are {name, description, parameters} that the model may
    ask to be called; `function_call` says whether: none, auto, or the name of the one it must.
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
    images: Sequence[Image] = ()
    functions: Sequence[Mapping[str, Any]] = ()
    function_call: str = "auto"


@dataclass(frozen=True, slots=True)
class FunctionCall:
    """A function that the model wants called. `arguments` is the text it wrote, JSON as a rule and not checked."""

    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Completion:
    """`data` is the parsed object when a schema, labels or fields were asked for, else None.

    `finish_reason` is stop, length (cut off at `max_tokens`) or function_call.
    """

    text: str
    data: Any
    usage: Usage
    finish_reason: str = "stop"
    function_call: FunctionCall | None = None


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
class Query:
    """One SQL statement. A map of `parameters` fills `:name`, a list fills `?` in order; values never become SQL.

    At most `max_rows` rows come back. Without `write` the statement runs in a read-only transaction.
    """

    sql: str
    parameters: Mapping[str, Any] | Sequence[Any] = ()
    max_rows: int = 1000
    write: bool = False


@dataclass(frozen=True, slots=True)
class Rows:
    """What came back, as JSON values. `affected` is how many rows a write changed, None for a read."""

    rows: Sequence[Mapping[str, Any]]
    truncated: bool = False
    affected: int | None = None


class DatabasePort(Protocol):
    def query(self, query: Query, *, timeout: float) -> Rows:
        """Run once. Raises Rejected, Unavailable, TimedOut or, where a write was sent and no answer came, Unknown."""
        ...


class ConnectionsPort(Protocol):
    """Stored connections of the organization, by id. Each raises Rejected for an id that is no connection of that kind."""

    def email(self, connection_id: str) -> EmailPort: ...

    def sms(self, connection_id: str) -> SmsPort: ...

    def llm(self, connection_id: str) -> LlmPort: ...

    def http(self, connection_id: str) -> HttpPort:
        """Its calls may give a path instead of a whole URL; the credential goes to the connection's own origin only."""
        ...

    def database(self, connection_id: str) -> DatabasePort: ...


@dataclass(frozen=True, slots=True)
class Inference:
    """One question to a model of the organization's own. Without a `version` the newest active one answers."""

    key: str
    model_id: str
    version: str = ""
    input: Mapping[str, Any] = field(default_factory=dict)
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Inferred:
    """000, CustomModelResponse; `usage.duration_ms` is its processing_time_ms."""

    model_id: str
    version: str
    output: Mapping[str, Any]
    confidence_score: float | None
    metadata: Mapping[str, Any] | None
    usage: Usage


class ModelsPort(Protocol):
    def infer(self, inference: Inference, *, timeout: float) -> Inferred:
        """Raises Rejected or Unavailable."""
        ...


@dataclass(frozen=True, slots=True)
class Ports:
    """Everything outside, as one organization may use it."""

    email: EmailPort
    messages: MessagesPort
    llm: LlmPort
    http: HttpPort
    sms: SmsPort
    connections: ConnectionsPort
    models: ModelsPort
    people: PeoplePort
    runs: RunsPort
    files: FilesPort
