"""Which of a person's own operations is undone or redone, and what takes it back."""

from __future__ import annotations

from auterity.kernel.access import Actor
from workflows.diff import same
from workflows.disputes import fields_of
from workflows.drafts import step_of
from workflows.edits import check_edge, check_node
from workflows.errors import EditConflict, NothingToUndo
from workflows.merge import EDGE_ADDED, EDGE_DELETED, EDITS, NODE_ADDED, NODE_DELETED, State, Step, applied, differs
from workflows.models import Workflow, WorkflowOperation
from workflows.shapes import write_edge, write_node

MAX_LOOK = 500  # own operations that can still be undone


def target_of(actor: Actor, workflow: Workflow, revision: int | None, *, redo: bool) -> int:
    """The revision that is undone, or with `redo` the undoing that is taken back. Raises `NothingToUndo`."""
    done, undone = _stacks(actor, workflow)
    stack = undone if redo else done
    if revision is None and stack:
        return stack[-1]
    if revision is not None and revision in stack:
        return revision
    if revision is None:
        raise NothingToUndo
    raise NothingToUndo(f"Revision {revision} is no operation of yours that could be {'redone' if redo else 'undone'}.")


def steps_back(workflow: Workflow, state: State, revision: int) -> list[Step]:
    """What takes back the operation of a revision and all it brought about. Raises `EditConflict` where it no longer fits."""
    rows = WorkflowOperation.objects.of(workflow.organization_id).filter(workflow=workflow)
    group = [rows.get(revision=revision), *rows.filter(cause=revision).order_by("revision")]
    steps = [step_of(each).inverse for each in group]
    at = state
    for place, step in enumerate(steps):
        _check(at, step, steps[place + 1 :])
        at = applied(at, [step])
    return steps


# -- inside ----------------------------------------------------------------------------------------------------------


def _stacks(actor: Actor, workflow: Workflow) -> tuple[list[int], list[int]]:
    """What can be undone, and what can be redone; the last of each comes first. A new operation ends what could be redone."""
    rows = WorkflowOperation.objects.of(actor).filter(
        workflow=workflow, user_id=actor.user_id, cause=None, operation__in=EDITS
    )
    newest = rows.order_by("-revision").values_list("revision", "act", "target")[:MAX_LOOK]
    done: list[int] = []
    undone: list[int] = []
    for revision, act, target in reversed(newest):
        if act == "do":
            done.append(revision)
            undone.clear()
        else:
            taken, given = (done, undone) if act == "undo" else (undone, done)
            if target in taken:
                taken.remove(target)
            given.append(revision)
    return done, undone


def _check(state: State, step: Step, later: list[Step]) -> None:
    """Whether what a step would change is still as the operation left it that it takes back."""
    if step.operation == NODE_ADDED:
        check_node(state, step.data["node"])
    elif step.operation == EDGE_ADDED:
        check_edge(state, step.data["edge"])
    elif step.operation == NODE_DELETED:
        node = state.nodes.get(step.key)
        going = {each.key for each in later if each.operation == EDGE_DELETED}
        foreign = [each for each in state.edges_of(step.key) if each["id"] not in going]
        if not same(node, step.before["node"]) or foreign:
            shown = None if node is None else write_node(node)
            raise EditConflict("This node was changed or connected since.", key=step.key, current=shown)
    elif step.operation == EDGE_DELETED:
        edge = state.edges.get(step.key)
        if not same(edge, step.before["edge"]):
            shown = None if edge is None else write_edge(edge)
            raise EditConflict("This edge was changed since.", key=step.key, current=shown)
    else:
        _check_fields(state, step)


def _check_fields(state: State, step: Step) -> None:
    if step.key and step.key not in state.nodes:
        raise EditConflict("This node is gone.", key=step.key)
    paths = differs(state, step.key, step.before)
    if paths:
        raise EditConflict(
            "These fields were changed since.",
            key=step.key,
            current=write_node(state.nodes[step.key]) if step.key else None,
            fields=fields_of(state, step, paths),
        )
