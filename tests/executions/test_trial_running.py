"""A trial is the real engine with nothing stored and nothing done outside."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from auterity.kernel.access import Actor
from auterity.kernel.errors import InvalidInput
from engine.graph import compile_graph
from engine.node import Done, Effect, Failed
from engine.ports import Rejected
from executions.lines import MASK
from executions.models import Execution, ExecutionLog, ExecutionStep
from executions.trials import services
from executions.trials.running import Bounds, Given, Shown, Trial, closed_ports, try_out
from tests.executions.support import flow, person, save
from workflows import services as workflows
from workflows.errors import DefinitionRefused, VersionNotFound

ABOUT: dict[str, Any] = {"workflow": {"id": "w", "name": "W"}, "organization": {"id": "o", "name": "O"}}
DEAL = flow(
    {
        "start": "start",
        "score": ("data-transformation", {"set": {"points": "{{ inputs.amount / 1000 }}"}}),
        "large": ("decision-logic", {"condition": "input.points > 10"}),
        "crm": (
            "api-integration",
            {
                "method": "POST",
                "url": "https://crm.example.com/leads",
                "headers": {"Authorization": "Bearer {{ inputs.key }}"},
                "body": {"points": "{{ steps.score.points }}", "ssn": "{{ inputs.ssn }}"},
                "sensitive": ["body.ssn"],
            },
        ),
        "mail": ("email-sender", {"to": "{{ inputs.to }}", "subject": "Crm said {{ steps.crm.status }}", "text": "Hi"}),
        "small": ("data-transformation", {"set": {"kept": "no"}}),
    },
    "start > score",
    "score > large",
    "large.true > crm",
    "crm > mail",
    "large.false > small",
)
INPUTS = {"amount": 25000, "key": "k3y", "ssn": "123-45", "to": "ann@example.com"}


def tried(definition: dict[str, Any], inputs: Any = None, bounds: Bounds | None = None, **given: Any) -> Trial:
    graph = compile_graph(definition)
    return try_out(graph, Given(inputs or {}, **given), about=ABOUT, bounds=bounds or Bounds())


def outputs(trial: Trial) -> dict[str, Any]:
    return {step.node.id: step.output for step in trial.steps}


def sources(trial: Trial) -> dict[str, str]:
    return {step.node.id: step.source for step in trial.steps}


def test_the_whole_graph_runs_and_shows_what_would_have_been_sent() -> None:
    trial = tried(DEAL, INPUTS)
    assert (trial.status, trial.error, trial.unreached) == ("completed", None, [])
    assert sources(trial) == {"start": "ran", "score": "ran", "large": "ran", "crm": "sampled", "mail": "sampled"}
    assert trial.skipped == ["small"]
    steps = {step.node.id: step for step in trial.steps}
    assert steps["crm"].config == {
        "method": "POST",
        "url": "https://crm.example.com/leads",
        "headers": {"Authorization": MASK},
        "body": {"points": 25, "ssn": MASK},
        "sensitive": ["body.ssn"],
    }
    assert steps["mail"].config == {"to": "ann@example.com", "subject": "Crm said 200", "text": "Hi"}
    assert steps["crm"].output == {"status": 200, "headers": {}, "body": {}, "elapsed_ms": 0}
    assert (steps["large"].port, steps["large"].taken) == ("true", ("large-crm",))
    assert trial.output["status"] == "sent"
    assert trial.warnings == []


def test_the_other_branch_is_skipped() -> None:
    trial = tried(DEAL, INPUTS | {"amount": 100})
    assert (trial.output, trial.skipped) == ({"kept": "no"}, ["crm", "mail"])


def test_pins_and_mocks_stand_in() -> None:
    trial = tried(
        DEAL,
        INPUTS,
        pinned={"score": {"points": 99}},
        mocks={"crm": Done({"status": 201}), "mail": Failed("unavailable", "The mail server is down.")},
    )
    assert sources(trial) == {"start": "ran", "score": "pinned", "large": "ran", "crm": "mocked", "mail": "mocked"}
    steps = {step.node.id: step for step in trial.steps}
    assert steps["mail"].config is not None
    assert steps["mail"].config["subject"] == "Crm said 201"
    assert (trial.status, trial.error) == (
        "failed",
        {"node_id": "mail", "code": "unavailable", "message": "The mail server is down."},
    )
    assert trial.output is None


def test_a_mocked_failure_follows_on_error() -> None:
    definition = flow(
        {
            "call": ("api-integration", {"url": "https://a.example.com", "on_error": "route"}),
            "sorry": ("data-transformation", {"set": {"why": "{{ input.error.code }}"}}),
            "fine": "merge",
        },
        "call.error > sorry",
        "call > fine",
    )
    trial = tried(definition, mocks={"call": Failed("timeout", "Too late.")})
    assert (trial.status, trial.output, trial.skipped) == ("completed", {"why": "timeout"}, ["fine"])
    assert [(step.status, step.port) for step in trial.steps] == [("failed", "error"), ("completed", "out")]


def test_a_failure_leaves_the_rest_unreached() -> None:
    trial = tried(
        flow({"a": ("data-transformation", {"set": {"x": "{{ inputs.nothing }}"}}), "b": "merge"}, "a > b"), {"y": 1}
    )
    assert (trial.status, trial.unreached, trial.skipped) == ("failed", ["b"], [])
    assert trial.error is not None
    assert (trial.error["node_id"], trial.error["code"]) == ("a", "expression")


def test_a_mail_that_could_not_be_sent_fails_as_it_would() -> None:
    trial = tried(flow({"mail": ("email-sender", {"to": "{{ inputs.to }}", "subject": "S", "text": "T"})}), {"to": ""})
    assert trial.error == {
        "node_id": "mail",
        "code": "config",
        "message": "The settings of 'mail' do not fit once filled in: to: A mail needs at least one recipient.",
    }


def test_a_declared_shape_makes_the_sample() -> None:
    schema = {
        "type": "object",
        "properties": {
            "status": {"const": 204},
            "body": {"type": "array", "items": {"properties": {"mail": {"type": "string", "format": "email"}}}},
            "when": {"type": ["string", "null"], "format": "date"},
            "stage": {"enum": ["won", "lost"]},
            "price": {"type": "number", "minimum": 3},
        },
    }
    trial = tried(flow({"call": ("api-integration", {"url": "https://a.example.com", "output_schema": schema})}))
    assert trial.output == {
        "status": 204, "body": [{"mail": "sample@example.com"}], "when": "2026-01-01", "stage": "won", "price": 3,
    }  # fmt: skip


def test_files_and_links_stand_in_where_nothing_is_stored_and_nobody_asked() -> None:
    choose = {"who": "public", "fields": [{"name": "scan", "type": "file"}]}
    trial = tried(
        flow(
            {
                "make": ("output-formatter", {"format": "csv", "value": [], "filename": "a.csv", "as_file": True}),
                "show": ("output-formatter", {"format": "text", "value": "{{ execution.links.choose }}"}),
                "read": ("file-processor", {"content": "a,b\n1,2\n", "format": "csv"}),
                "choose": ("form-input", choose),
            },
            "make > show",
            "show > read",
            "read > choose",
        )
    )
    nobody = "00000000-0000-7000-8000-000000000000"
    outputs = {each.node.id: (each.source, each.output) for each in trial.steps}
    assert outputs["make"] == (
        "sampled",
        {"file": nobody, "media_type": "text/csv; charset=utf-8", "filename": "a.csv", "size": 0},
    )
    assert outputs["show"][1]["content"] == "https://example.com/answer/choose"
    assert (outputs["read"][0], outputs["read"][1]["items"]) == ("ran", [{"a": "1", "b": "2"}])
    assert outputs["choose"] == ("sampled", {"scan": nobody})


@pytest.mark.parametrize(
    ("config", "data"),
    [
        ({"labels": ["hot", "cold"]}, {"label": "hot", "confidence": 1.0}),
        ({"fields": {"name": "string", "age": {"type": "integer"}}}, {"name": "sample", "age": 1}),
        ({"response_schema": {"type": "object", "properties": {"ok": {"type": "boolean"}}}}, {"ok": True}),
        ({}, None),
    ],
)
def test_a_model_that_was_not_asked_answers_in_the_form_that_was_asked_for(config: dict[str, Any], data: Any) -> None:
    trial = tried(flow({"ai": ("ai-text-processing", {"prompt": "Say", **config})}))
    assert trial.output["data"] == data


def test_a_node_without_a_sample_says_so(add_node: Callable[..., None]) -> None:
    add_node("fax", lambda config, step: Done("sent"), effect=Effect.UNKEYED)
    trial = tried(flow({"fax": "fax"}))
    assert trial.output == {}
    assert trial.warnings == [
        "'fax' (fax) has no sample output, so it put out an empty map; pin or mock what it would put out."
    ]


def test_a_pure_node_that_reaches_for_the_outside_is_refused(add_node: Callable[..., None]) -> None:
    add_node("sly", lambda config, step: Done(step.ports.http.call(None, timeout=1)))
    trial = tried(flow({"sly": "sly"}))
    assert trial.error is not None
    assert trial.error["message"] == "A trial run reaches nothing outside; http.call was not called."
    with pytest.raises(Rejected):
        closed_ports().email.send(None, timeout=1)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("bounds", "code", "took"),
    [
        (Bounds(steps=2), "limit", 2),
        (Bounds(seconds=-1.0), "timeout", 0),
        (Bounds(total_bytes=150), "limit", 2),
        (Bounds(output_bytes=100), "output", 1),
    ],
)
def test_a_trial_is_bounded(bounds: Bounds, code: str, took: int) -> None:
    definition = flow(
        {"a": "start", "b": ("data-transformation", {"set": {"x": "{{ inputs.x }}"}}), "c": "merge"}, "a > b", "b > c"
    )
    trial = tried(definition, {"x": "x" * 150} if code != "limit" else {"x": "x" * 80}, bounds)
    assert trial.error is not None
    assert (trial.status, trial.error["code"], len(trial.steps)) == ("failed", code, took)


def test_what_is_too_large_is_only_summed_up() -> None:
    fit = Shown(100_000)
    assert fit("x" * 60_000) == "x" * 60_000
    assert fit("x" * 60_000) == {"omitted": "60,002 bytes"}
    assert Shown(10**9)("x" * 70_000) == {"omitted": "70,002 bytes"}


# Nothing outside

FORBIDDEN = {
    "socket.connect", "socket.bind", "socket.getaddrinfo", "socket.sendto", "subprocess.Popen", "os.exec", "os.posix_spawn",
    "os.system", "os.fork", "os.mkdir", "os.remove", "os.rename", "shutil.move", "os.putenv", "tempfile.mkstemp",
}  # fmt: skip
_seen: list[tuple[str, Any]] = []
_watching = [False]


def _watch(event: str, args: tuple[Any, ...]) -> None:
    if not _watching[0]:
        return
    if event in FORBIDDEN or (event == "open" and isinstance(args[1], str) and set(args[1]) & set("wax+")):
        _seen.append((event, args))


@contextmanager
def watched() -> Iterator[list[tuple[str, Any]]]:
    if not getattr(_watch, "hooked", False):
        sys.addaudithook(_watch)  # For the rest of the process; it looks only while asked to.
        _watch.hooked = True  # type: ignore[attr-defined]
    _seen.clear()
    _watching[0] = True
    try:
        yield _seen
    finally:
        _watching[0] = False


def test_nothing_is_connected_to_written_or_started() -> None:
    loops = flow(
        {
            "list": ("data-transformation", {"expression": "{'big': inputs.deals.filter(d, d.price > 10)}"}),
            "crm": ("api-integration", {"method": "POST", "url": "https://crm.example.com", "body": "{{ input.big }}"}),
            "ai": ("ai-text-processing", {"prompt": "Sum up {{ steps.list.big }}", "labels": ["a", "b"]}),
            "mail": ("email-sender", {"to": "a@example.com", "subject": "S", "text": "T", "template": ""}),
            "page": ("output-formatter", {"format": "html", "template": "{{ input.status }}"}),
        },
        "list > crm",
        "crm > ai",
        "ai > mail",
        "mail > page",
    )
    inputs = {"deals": [{"price": 5}, {"price": 50}]}
    with watched() as seen:
        open("/dev/null", "w").close()  # The watch itself watches.
        assert [each[0] for each in seen] == ["open"]
        seen.clear()
        first = tried(loops, inputs)
        # The guarded child that loops are evaluated in is the house's own, and may be started here.
        children = [args for event, args in seen if event == "subprocess.Popen"]
        assert all(args[1][1:] == ["-m", "engine.sandbox"] for args in children)
        seen.clear()
        second = tried(loops, inputs)
        assert seen == []
    for trial in (first, second):
        assert trial.status == "completed"
        assert sources(trial) == {
            "list": "ran", "crm": "sampled", "ai": "sampled", "mail": "sampled", "page": "ran",
        }  # fmt: skip


# As somebody of an organization


@pytest.fixture
def ann(db: None) -> Actor:
    return person()


def dry_run(actor: Actor, definition: dict[str, Any], inputs: Any = None, **more: Any) -> Trial:
    workflow = save(actor, definition)
    given: dict[str, Any] = {"number": None, "context": {}, "pinned": {}, "mocks": {}, **more}
    return services.dry_run(actor=actor, workflow_id=workflow.id, inputs=inputs or {}, **given)[1]


def test_nothing_is_written(ann: Actor) -> None:
    workflow = save(ann, DEAL)
    with CaptureQueriesContext(connection) as captured:
        _, trial = services.dry_run(
            actor=ann, workflow_id=workflow.id, number=None, inputs=INPUTS, context={}, pinned={}, mocks={}
        )
    assert trial.status == "completed"
    assert [each["sql"][:60] for each in captured if not each["sql"].upper().startswith("SELECT")] == []
    assert [each._base_manager.count() for each in (Execution, ExecutionStep, ExecutionLog)] == [0, 0, 0]


def test_expressions_read_the_workflow_and_the_organization(ann: Actor) -> None:
    definition = flow({"a": ("data-transformation", {"set": {"at": "{{ organization.name }} {{ workflow.name }}"}})})
    assert dry_run(ann, definition).output == {"at": "AutoDealer Inc. A workflow"}


def test_pins_and_mocks_that_fit_nothing_are_refused(ann: Actor) -> None:
    with pytest.raises(InvalidInput) as refused:
        dry_run(
            ann,
            DEAL,
            pinned={"nobody": 1, "score": 2},
            mocks={
                "score": {"output": 1},
                "large": {"output": 1, "port": "maybe"},
                "crm": {},
                "mail": {"error": {"message": "no code"}},
                "gone": {"output": 1},
            },
        )
    assert sorted(each.field for each in refused.value.problems) == [
        "mocks.crm", "mocks.gone", "mocks.large.port", "mocks.mail.error", "mocks.score", "pinned.nobody",
    ]  # fmt: skip


def test_a_version_that_is_not_there_or_cannot_run_is_refused(ann: Actor) -> None:
    with pytest.raises(VersionNotFound):
        dry_run(ann, DEAL, number=7)
    workflow = save(ann, DEAL)
    broken = workflows.WorkflowChange(definition=flow({"mail": ("email-sender", {})}), draft=True)
    workflows.update_workflow(actor=ann, workflow_id=workflow.id, change=broken)
    given: dict[str, Any] = {"inputs": INPUTS, "context": {}, "pinned": {}, "mocks": {}}
    with pytest.raises(DefinitionRefused):
        services.dry_run(actor=ann, workflow_id=workflow.id, number=None, **given)
    version, trial = services.dry_run(actor=ann, workflow_id=workflow.id, number=1, **given)
    assert (version.number, trial.status) == (1, "completed")
