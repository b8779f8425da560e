"""Outputs above the bound travel as files: later steps, crashes and clients see the value or where it is."""

from __future__ import annotations

from typing import Any

from django.db.models import F

from artefacts.models import Artefact
from auterity.kernel.access import Actor
from engine.node import Done, Effect
from executions import selectors
from executions.models import ExecutionStep
from executions.runner import Runner
from tests.executions.support import ended, flow, fresh, make_due, start, steps_of, until

WHOLE = {"rows": [{"n": n, "text": "x" * 100} for n in range(10_000)]}
READ = ("data-transformation", {"set": {"n": "{{ steps.big.rows[9999].n }}", "count": "{{ length(input.rows) }}"}})


def test_later_steps_read_a_large_output_and_the_row_keeps_a_reference(
    actor: Actor, runner: Runner, add_node: Any
) -> None:
    add_node("big", lambda config, step: Done(WHOLE), effect=Effect.KEYED)
    done = ended(start(actor, flow({"big": "big", "read": READ}, "big > read")))
    assert (done.status, done.output_data) == ("completed", {"n": 9999, "count": 10_000})
    [file] = Artefact.objects.of(actor)
    assert steps_of(done)["big"].output_data == {"$kept": {"file": str(file.id), "bytes": file.size}}
    view = {step.node_id: step for step in selectors.steps_of(actor=actor, execution_id=done.id)}
    reference = {"file": str(file.id), "bytes": file.size, "href": f"/api/files/{file.id}/content"}
    assert (view["big"].output, view["read"].input) == (reference, reference)


def test_a_worker_that_takes_over_reads_what_another_kept(actor: Actor, start_runner: Any, add_node: Any) -> None:
    add_node("big", lambda config, step: Done(WHOLE), effect=Effect.KEYED)
    read = ("data-transformation", {"set": {"n": "{{ steps.big.rows[9999].n }}"}})
    nodes = {"big": "big", "wait": ("delay", {"seconds": 3600}), "read": read}
    accepted = start(actor, flow(nodes, "big > wait", "wait > read"))
    first = start_runner()
    until(lambda: fresh(accepted).waiting_since is not None, what="the wait")
    first.stop(grace=10)
    ExecutionStep.objects.filter(execution=accepted, node_id="wait").update(due_at=F("started_at"))
    make_due(accepted)
    start_runner()
    assert ended(accepted).output_data == {"n": 9999}


def test_a_large_result_is_kept_whole_and_shown_as_a_reference(actor: Actor, runner: Runner, add_node: Any) -> None:
    add_node("big", lambda config, step: Done(WHOLE), effect=Effect.KEYED)
    done = ended(start(actor, flow({"big": "big"})))
    assert done.status == "completed"
    assert set(fresh(done).output_data) == {"$kept"}
    assert sorted(Artefact.objects.of(actor).values_list("execution_id", flat=True)) == [done.id, done.id]


def test_an_output_for_which_there_is_no_room_fails_its_step(
    actor: Actor, runner: Runner, add_node: Any, settings: Any
) -> None:
    settings.ARTEFACTS = {**settings.ARTEFACTS, "max_organization_bytes": 1000}
    add_node("big", lambda config, step: Done(WHOLE), effect=Effect.KEYED)
    done = ended(start(actor, flow({"big": "big"})))
    assert (done.status, done.error_code) == ("failed", "output")
    assert Artefact.objects.of(actor).count() == 0
