"""Work on a draft that was done while nobody could be asked: carried over to the draft as it stands now, field by field.

Three sides: the draft as the sender knew it (its base), as the sender wants it, and as it is stored. What only the sender changed
is taken; what both changed to different values is in dispute, and the sender says beforehand whose value counts then.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db import transaction

from auterity.kernel.access import Actor, Permission, require
from auterity.kernel.errors import InvalidInput
from workflows import selectors
from workflows.changes import OWN_FIELDS, WorkflowChange
from workflows.diff import ABSENT, diff
from workflows.errors import DefinitionRefused
from workflows.log import SAVED
from workflows.merge import Path, State, alike, change_of, patched
from workflows.models import Workflow, WorkflowOperation
from workflows.sealing import sealed_definition
from workflows.services import update_workflow
from workflows.shapes import read_definition
from workflows.staleness import base_of, fields_of, value_at
from workflows.versions import check_definition, locked

Json = dict[str, Any]
Field = tuple[str, str, Path]  # nodes, edges or rest; the node's or edge's id; where in it


@dataclass(frozen=True, slots=True)
class Rebased:
    """The workflow after it. `disputed` are the fields that both sides changed, whatever became of them.

    `taken` says whether anything of the sender's was stored. `unsound` says why the two do not fit together: then nothing was.
    """

    workflow: Workflow
    disputed: tuple[str, ...] = ()
    taken: bool = False
    unsound: str = ""


@dataclass(slots=True)
class _Merge:
    """What is carried over, and what is in dispute."""

    taken: Json = field(default_factory=dict)  # of the workflow's own fields
    definition: Json | None = None
    disputed: list[str] = field(default_factory=list)


@transaction.atomic
def save_rebased(
    *, actor: Actor, workflow_id: UUID, change: WorkflowChange, base: int, yours_win: bool | None
) -> Rebased:
    """Save a change that was made on the revision `base`, as a draft. Of what is in dispute the sender's value counts, or the
    stored one (`yours_win` false); with None nothing is stored where anything is.

    Raises as `update_workflow` does, and `InvalidInput` for a revision that is not there yet.
    """
    require(actor, Permission.WORKFLOW_UPDATE)
    workflow = locked(actor, workflow_id)
    if not 1 <= base <= workflow.revision:
        raise InvalidInput.of("base_version", f"This workflow has come to version {workflow.revision} only.")
    merge = _merged(actor, workflow, change, base, yours_win=bool(yours_win))
    disputed = tuple(merge.disputed)
    if (disputed and yours_win is None) or not (merge.taken or merge.definition is not None):
        return Rebased(workflow, disputed)
    if merge.definition is not None and base != workflow.revision:
        try:
            check_definition(merge.definition, must_run=False)
        except DefinitionRefused as refused:
            return Rebased(workflow, disputed, unsound=refused.problems[0].message)
    carried = WorkflowChange(**merge.taken, definition=merge.definition, draft=True, note=change.note)
    return Rebased(update_workflow(actor=actor, workflow_id=workflow_id, change=carried), disputed, taken=True)


# -- inside ----------------------------------------------------------------------------------------------------------


def _merged(actor: Actor, workflow: Workflow, change: WorkflowChange, base: int, *, yours_win: bool) -> _Merge:
    merge = _Merge()
    was = _own_fields_at(actor, workflow, base)
    for name in OWN_FIELDS:
        yours, stored = getattr(change, name), getattr(workflow, name)
        yours = yours.strip() if name == "name" and yours is not None else yours
        known = was.get(name, stored)
        if yours is None or yours in (known, stored):
            continue
        if known != stored:
            merge.disputed.append(name)
        if known == stored or yours_win:
            merge.taken[name] = yours
    stored_definition = selectors.get_version(actor=actor, workflow=workflow).definition
    before = stored_definition
    if base != workflow.revision:
        before = base_of(actor, workflow, version=None, revision=base) or {}
    wanted = read_definition(change.parts or {}, before or stored_definition)
    if wanted is not None:
        check_definition(wanted, must_run=False)
        wanted = sealed_definition(actor.organization_id, wanted)
        _merge_definitions(merge, before, wanted, stored_definition, yours_win=yours_win)
    return merge


def _own_fields_at(actor: Actor, workflow: Workflow, base: int) -> Json:
    """The workflow's own fields that were changed after a revision, as they were then."""
    rows = WorkflowOperation.objects.of(actor).filter(workflow=workflow, revision__gt=base, operation=SAVED)
    was: Json = {}
    for row in rows.order_by("revision"):
        # A save that was recorded before this was noted may have changed any of them.
        was = dict.fromkeys(OWN_FIELDS) | was if "was" not in row.data else {**row.data["was"], **was}
    return was


def _merge_definitions(merge: _Merge, base: Json, wanted: Json, stored: Json, *, yours_win: bool) -> None:
    yours, theirs = State.of(wanted), State.of(stored)
    touched = _by_place(fields_of(diff(base, stored)))
    taken: list[tuple[Field, Any]] = []
    for part, key, path in fields_of(diff(base, wanted)):
        value, other = (value_at(each, part, key, path) for each in (yours, theirs))
        if alike(value, other) or (value is ABSENT and other is ABSENT):
            continue
        at = touched.get((part, key), frozenset())
        clash = path in at or () in at or (not path and bool(at))
        if clash:
            merge.disputed.append(_named(part, key, path))
        if not clash or yours_win:
            taken.append(((part, key, path), value))
    if taken:
        merge.definition = _applied(theirs, yours, taken)


def _by_place(fields: Mapping[Field, None]) -> dict[tuple[str, str], frozenset[Path]]:
    found: dict[tuple[str, str], set[Path]] = {}
    for part, key, path in fields:
        found.setdefault((part, key), set()).add(path)
    return {place: frozenset(paths) for place, paths in found.items()}


def _named(part: str, key: str, path: Path) -> str:
    return ".".join((part, key, *path) if part != "rest" else path)


def _applied(theirs: State, yours: State, taken: list[tuple[Field, Any]]) -> Json:
    """The stored definition with the fields that are carried over."""
    things: dict[str, dict[str, Json]] = {"nodes": dict(theirs.nodes), "edges": dict(theirs.edges)}
    rest: Json = {"variables": theirs.variables, "triggers": theirs.triggers, "settings": theirs.settings}
    for (part, key, path), value in taken:
        if part == "rest":
            rest = patched(rest, change_of({path: value}))
            continue
        own = (yours.nodes if part == "nodes" else yours.edges).get(key)
        if own is None:
            things[part].pop(key, None)
        elif not path or key not in things[part]:  # New, or gone on the other side.
            things[part][key] = own
        else:
            things[part][key] = patched(things[part][key], change_of({path: value}))
    return State(nodes=things["nodes"], edges=things["edges"], size=0, **rest).definition()
