"""The outside world in memory, and a step to run a node with. Tests use these instead of mocks.

    step = FakeStep(input={"amount": 12})
    outcome = run_node("decision-logic", {"condition": "input.amount > 10"}, step)

Nothing is rendered on the way: a test gives the configuration as it is after rendering.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from engine.expression_values import as_text
from engine.expressions import Scope, compile_expression, compile_template
from engine.node import Failed, Outcome
from engine.perform import check_rendered
from engine.ports import (
    Asked,
    Completion,
    EndedRun,
    HttpAnswer,
    HttpCall,
    Mail,
    MailReceipt,
    MessageTemplate,
    NewRun,
    NotConfigured,
    Ports,
    Prompt,
    Rejected,
    RunCounts,
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
) -> Ports:
    """Every port in memory, scripted."""
    return Ports(
        email=RecordingEmail(failures=list(mail_failures)),
        messages=StoredMessages(list(templates)),
        llm=ScriptedLlm(list(completions)),
        http=ScriptedHttp(list(answers)),
        people=KnownPeople(members or {}),
        runs=ScriptedRuns(),
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
