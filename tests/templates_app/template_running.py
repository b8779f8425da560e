"""Runs a definition to its end without a database, the outside world in memory."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from engine.graph import compile_graph
from engine.node import Failed
from engine.perform import RunningStep, perform, prepare
from engine.ports import HttpAnswer, LlmPort, Mail
from engine.scheduler import Run
from engine.testing import RecordingEmail, ScriptedHttp, StoredMessages, memory_ports
from integrations.builtin_templates import BUILTIN
from integrations.providers.llm.offline import Config, OfflineRules
from templates_app.blanks import fill
from templates_app.entries import Entry, entries
from templates_app.models import TemplateParameter
from templates_app.substitution import substituted

NOW = "2026-11-20T15:00:00Z"
ABOUT = {
    name: {"id": "00000000-0000-7000-8000-000000000000", "name": "test"}
    for name in ("execution", "workflow", "organization")
}
CATALOGUE = {entry.slug: entry for entry in entries()}


def graph(*nodes: Mapping[str, Any], edges: list[dict[str, Any]] | None = None, **more: Any) -> dict[str, Any]:
    """A canonical definition."""
    full = [{"title": "", "config": {}, **each} for each in nodes]
    return {"nodes": full, "edges": edges or [], "variables": [], "triggers": [], "settings": {}, **more}


@dataclass(slots=True)
class Finished:
    """How a run ended. `result` is its output; `skipped` the nodes that did not run."""

    result: Any
    outputs: dict[str, Any]
    skipped: list[str]
    failure: Failed | None
    mails: list[Mail] = field(default_factory=list)
    http: ScriptedHttp = field(default_factory=ScriptedHttp)

    def to(self, address: str) -> Mail:
        """The one mail to an address."""
        (mail,) = [each for each in self.mails if each.to == [address]]
        return mail


def run_to_end(
    definition: Mapping[str, Any],
    inputs: Mapping[str, Any],
    *,
    llm: LlmPort | None = None,
    answers: list[HttpAnswer | Exception] | None = None,
    email: RecordingEmail | None = None,
) -> Finished:
    """Every step of a run, one after the other, with mail and HTTP in memory and the offline rules for AI steps."""
    mail, http = email or RecordingEmail(), ScriptedHttp(answers or [])
    ports = replace(
        memory_ports(), email=mail, messages=StoredMessages(list(BUILTIN)), llm=llm or OfflineRules(Config()), http=http
    )
    run = Run(compile_graph(definition), inputs, {}, ABOUT)
    while node := run.take():
        scope = run.scope(node, NOW)
        config = prepare(node, scope)
        step = RunningStep(f"run/{node.id}/0", node.id, 1, node.timeout, scope, ports, not node.incoming)
        outcome = config if isinstance(config, Failed) else perform(node, config, step, max_output_bytes=4_000_000)
        run.settle(node, outcome, NOW)
    failure = run.failure[1] if run.failure else None
    return Finished(run.result(), run.outputs, run.skipped(), failure, mail.sent, http)


def run_entry(slug: str, *, parameters: dict[str, Any] | None = None, **more: Any) -> Finished:
    """Run a catalogue entry with its example parameters and inputs; `parameters` and `inputs` change some of them."""
    entry = CATALOGUE[slug]
    filled = fill(rows(entry), {**entry.example_parameters, **(parameters or {})})
    inputs = {**entry.example_inputs, **more.pop("inputs", {})}
    return run_to_end(substituted(entry.definition, filled), inputs, **more)


def rows(entry: Entry) -> list[TemplateParameter]:
    """An entry's parameters as they would be stored."""
    return [TemplateParameter(**each.model_dump(mode="json")) for each in entry.parameters]


def result_of(finished: Finished) -> dict[str, Any]:
    assert finished.failure is None
    result: dict[str, Any] = json.loads(finished.result["content"])
    return result


def sent_by(finished: Finished) -> list[tuple[str, str]]:
    """(recipients, subject) of every mail, sorted."""
    return sorted((", ".join(mail.to), mail.subject) for mail in finished.mails)
