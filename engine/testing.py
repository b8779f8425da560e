"""The outside world in memory, and a step to run a node with. Tests use these instead of mocks.

    step = FakeStep(input={"amount": 12})
    outcome = run_node("decision-logic", {"condition": "input.amount > 10"}, step)

Nothing is rendered on the way: a test gives the configuration as it is after rendering.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from engine.expression_values import as_text
from engine.expressions import Scope, compile_expression, compile_template
from engine.house_ports import Asked, EndedRun, FileReader, NewRun, RunCounts, StoredFile
from engine.node import Failed, Outcome
from engine.perform import check_rendered
from engine.ports import (
    Completion,
    DatabasePort,
    EmailPort,
    HttpAnswer,
    HttpCall,
    HttpPort,
    Inference,
    Inferred,
    LlmPort,
    Mail,
    MailReceipt,
    MessageTemplate,
    NotConfigured,
    Ports,
    Prompt,
    Query,
    Rejected,
    Rows,
    Sms,
    SmsPort,
    SmsReceipt,
    Usage,
)
from engine.registry import NODES
from engine.waiting import Person, Wake

Level = Literal["debug", "info", "warning", "error"]


@dataclass(slots=True)
class RecordingEmail:
    """An `EmailPort` that keeps what it was given in `sent`. `failures` are raised first, one a call."""

    failures: list[Exception] = field(default_factory=list)
    sent: list[Mail] = field(default_factory=list)

    def send(self, mail: Mail, *, timeout: float) -> MailReceipt:
        if self.failures:
            raise self.failures.pop(0)
        self.sent.append(mail)
        return self._receipt(mail.key)

    def find(self, key: str) -> MailReceipt | None:
        return next((self._receipt(mail.key) for mail in self.sent if mail.key == key), None)

    def _receipt(self, key: str) -> MailReceipt:
        return MailReceipt(message_id=f"<{key}@memory.test>", status="sent", provider="memory")


@dataclass(slots=True)
class StoredMessages:
    """A `MessagesPort` over a list."""

    templates: list[MessageTemplate] = field(default_factory=list)

    def template(self, name: str) -> MessageTemplate:
        for each in self.templates:
            if each.name == name:
                return each
        there = ", ".join(each.name for each in self.templates) or "none"
        raise Rejected(f"There is no message template '{name}'; there are: {there}.", template=name)


Answer = Completion | str | Exception


@dataclass(slots=True)
class ScriptedLlm:
    """An `LlmPort` that gives its `answers` in turn and keeps the `prompts`. A text is a completion without data."""

    answers: list[Answer] = field(default_factory=list)
    prompts: list[Prompt] = field(default_factory=list)

    def complete(self, prompt: Prompt, *, timeout: float) -> Completion:
        self.prompts.append(prompt)
        if not self.answers:
            raise NotConfigured("No language model is set up.")
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return completion(answer) if isinstance(answer, str) else answer


@dataclass(slots=True)
class ScriptedHttp:
    """An `HttpPort` that gives its `answers` in turn and keeps the `calls`."""

    answers: list[HttpAnswer | Exception] = field(default_factory=list)
    calls: list[HttpCall] = field(default_factory=list)

    def call(self, call: HttpCall, *, timeout: float) -> HttpAnswer:
        self.calls.append(call)
        if not self.answers:
            raise Rejected(f"The test scripted no answer for {call.method} {call.url}.")
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


@dataclass(slots=True)
class RecordingSms:
    """An `SmsPort` that keeps what it was given in `sent`. `failures` are raised first, one a call."""

    failures: list[Exception] = field(default_factory=list)
    sent: list[Sms] = field(default_factory=list)

    def send(self, sms: Sms, *, timeout: float) -> SmsReceipt:
        if self.failures:
            raise self.failures.pop(0)
        self.sent.append(sms)
        return SmsReceipt(f"SM-{sms.key}", "queued", "memory")

    def find(self, sms: Sms, *, timeout: float) -> SmsReceipt | None:
        return next(
            (SmsReceipt(f"SM-{each.key}", "queued", "memory") for each in self.sent if each.key == sms.key), None
        )


@dataclass(slots=True)
class ScriptedDatabase:
    """A `DatabasePort` that gives its `answers` in turn and keeps the `queries`."""

    answers: list[Rows | Exception] = field(default_factory=list)
    queries: list[Query] = field(default_factory=list)

    def query(self, query: Query, *, timeout: float) -> Rows:
        self.queries.append(query)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


@dataclass(slots=True)
class MemoryConnections:
    """A `ConnectionsPort` over a map of id to port; a test puts each under the kind it is."""

    ports: Mapping[str, Any] = field(default_factory=dict)

    def _get(self, connection_id: str) -> Any:
        if connection_id not in self.ports:
            raise Rejected("There is no such connection. Choose one of this organization's connections.")
        return self.ports[connection_id]

    def email(self, connection_id: str) -> EmailPort:
        port: EmailPort = self._get(connection_id)
        return port

    def sms(self, connection_id: str) -> SmsPort:
        port: SmsPort = self._get(connection_id)
        return port

    def llm(self, connection_id: str) -> LlmPort:
        port: LlmPort = self._get(connection_id)
        return port

    def http(self, connection_id: str) -> HttpPort:
        port: HttpPort = self._get(connection_id)
        return port

    def database(self, connection_id: str) -> DatabasePort:
        port: DatabasePort = self._get(connection_id)
        return port


@dataclass(slots=True)
class ScriptedModels:
    """A `ModelsPort` that gives its `answers` in turn and keeps the `asked`."""

    answers: list[Inferred | Exception] = field(default_factory=list)
    asked: list[Inference] = field(default_factory=list)

    def infer(self, inference: Inference, *, timeout: float) -> Inferred:
        self.asked.append(inference)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


class _MemoryReader(io.BytesIO):
    def __init__(self, file: StoredFile) -> None:
        super().__init__(file.content)
        self.name, self.media_type, self.size = file.name, file.media_type, len(file.content)


@dataclass(slots=True)
class MemoryFiles:
    """A `FilesPort` over a map of id to file. What is stored gets the ids file-1, file-2 …; `keys` says under which key."""

    files: dict[str, StoredFile] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)

    def read(self, file_id: str, *, max_bytes: int) -> StoredFile:
        found = self.files.get(file_id)
        if found is None:
            raise Rejected(f"There is no file of the id '{file_id}'.")
        if len(found.content) > max_bytes:
            raise Rejected(
                f"The file '{found.name}' has {len(found.content):,} bytes; at most {max_bytes:,} are taken."
            )
        return found

    @contextmanager
    def open(self, file_id: str, *, start: int = 0) -> Iterator[FileReader]:
        reader = _MemoryReader(self.read(file_id, max_bytes=1 << 40))
        reader.seek(start)
        yield reader

    def store(self, name: str, media_type: str, chunks: Iterable[bytes], *, key: str) -> str:
        content = b"".join(chunks)
        file_id = self.keys.setdefault(key, f"file-{len(self.keys) + 1}")
        self.files[file_id] = StoredFile(file_id, name, media_type, content)
        return file_id


def completion(text: str, data: Any = None, model: str = "scripted-1", cost_usd: float = 0.0) -> Completion:
    """A completion that counts one token a word."""
    usage = Usage("scripted", model, prompt_tokens=10, completion_tokens=len(text.split()), cost_usd=cost_usd)
    return Completion(text=text, data=data, usage=usage)


def answer(body: bytes | str = b"", status: int = 200, headers: Mapping[str, str] | None = None) -> HttpAnswer:
    """An HTTP answer; JSON unless `headers` say otherwise."""
    raw = body.encode() if isinstance(body, str) else body
    return HttpAnswer(status, headers or {"Content-Type": "application/json"}, raw, 12.3)


@dataclass(slots=True)
class KnownPeople:
    """A `PeoplePort` over the members it is given: e-mail to role."""

    members: Mapping[str, str] = field(default_factory=dict)

    def resolve(self, asked: Sequence[str]) -> Asked:
        people = [Person(each, user_id=f"user-{each}" if each in self.members else "") for each in asked if "@" in each]
        roles = [each for each in asked if "@" not in each]
        holders = [Person(email, f"user-{email}") for email, role in self.members.items() if role in roles]
        return Asked(people, roles, holders)

    def link(self, key: str, person: Person) -> str:
        return f"https://auterity.test/answer/{key}/{person.email}"


@dataclass(slots=True)
class ScriptedRuns:
    """A `RunsPort` that keeps what was started; a test ends the runs by hand with `end`."""

    started: dict[int, NewRun] = field(default_factory=dict)
    over: dict[int, EndedRun] = field(default_factory=dict)
    cancelled: bool = False

    def start(self, key: str, attempt: int, runs: Sequence[NewRun]) -> list[str]:
        self.started |= {run.item: run for run in runs}
        return [f"run-{run.item}" for run in runs]

    def end(self, item: int, output: Any = None, *, status: str = "completed", error: str = "") -> None:
        self.over[item] = EndedRun(f"run-{item}", item, status, output, error)

    def counts(self, key: str, attempt: int) -> RunCounts:
        completed = sum(each.status == "completed" for each in self.over.values())
        return RunCounts(len(self.started) - len(self.over), completed, len(self.over) - completed)

    def ended(self, key: str, attempt: int, *, after: int = -1, limit: int = 500) -> list[EndedRun]:
        return [self.over[item] for item in sorted(self.over) if item > after][:limit]

    def cancel(self, key: str, attempt: int) -> None:
        self.cancelled = True


def memory_ports(
    *,
    answers: Iterable[HttpAnswer | Exception] = (),
    completions: Iterable[Answer] = (),
    templates: Iterable[MessageTemplate] = (),
    mail_failures: Iterable[Exception] = (),
    members: Mapping[str, str] | None = None,
    sms_failures: Iterable[Exception] = (),
    connections: Mapping[str, Any] | None = None,
    inferred: Iterable[Inferred | Exception] = (),
    files: Iterable[StoredFile] = (),
) -> Ports:
    """Every port in memory, scripted."""
    return Ports(
        email=RecordingEmail(failures=list(mail_failures)),
        messages=StoredMessages(list(templates)),
        llm=ScriptedLlm(list(completions)),
        http=ScriptedHttp(list(answers)),
        people=KnownPeople(members or {}),
        runs=ScriptedRuns(),
        files=MemoryFiles({each.id: each for each in files}),
        sms=RecordingSms(failures=list(sms_failures)),
        connections=MemoryConnections(connections or {}),
        models=ScriptedModels(list(inferred)),
    )


@dataclass(slots=True)
class FakeStep:
    """An `engine.node.Step` outside of any execution. `log` keeps its lines in `lines`."""

    input: Any = None
    inputs: Mapping[str, Any] = field(default_factory=dict)
    ports: Ports = field(default_factory=memory_ports)
    context: Mapping[str, Any] = field(default_factory=dict)
    steps: Mapping[str, Any] = field(default_factory=dict)
    key: str = "execution/node/0"
    node_id: str = "node"
    attempt: int = 1
    timeout: float = 30.0
    first: bool = True
    now: str = "2026-11-20T09:00:00Z"
    lines: list[tuple[Level, str, dict[str, Any]]] = field(default_factory=list)

    def evaluate(self, expression: str, **names: Any) -> Any:
        return compile_expression(expression).evaluate(self._scope().over(names))

    def render(self, template: str, data: Mapping[str, Any], escape: Callable[[str], str] | None = None) -> str:
        return as_text(compile_template(template).render(Scope(inputs=data, input=data, now=self.now), escape))

    def log(self, level: Level, message: str, **data: Any) -> None:
        self.lines.append((level, message, data))

    def _scope(self) -> Scope:
        about = {"id": "00000000-0000-7000-8000-000000000000", "name": "test"}
        return Scope(
            input=self.input,
            inputs=self.inputs,
            context=self.context,
            steps=self.steps,
            execution=about,
            workflow=about,
            organization=about,
            now=self.now,
        )


def run_node(name: str, config: Mapping[str, Any], step: FakeStep | None = None) -> Outcome:
    """Validate a rendered configuration and run the node. Raises `ValidationError` and what the node raises."""
    node_type = NODES.get(name)
    checked = check_rendered(node_type, name, config)
    return checked if isinstance(checked, Failed) else node_type.run(checked, step or FakeStep())


def resume_node(name: str, config: Mapping[str, Any], wake: Wake, step: FakeStep | None = None) -> Outcome:
    """Go on with a node that waited."""
    node_type = NODES.get(name)
    checked = check_rendered(node_type, name, config)
    if isinstance(checked, Failed):
        return checked
    assert node_type.resume is not None, f"{name} cannot wait"  # noqa: S101  A test's own mistake.
    return node_type.resume(checked, step or FakeStep(), wake)


def problems_of(name: str, config: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What the node's own `check` says about a configuration at save time."""
    node_type = NODES.get(name)
    return node_type.check(node_type.config.model_validate(dict(config))) if node_type.check else []
