"""A save that was made on an older draft than the stored one: what it disagrees about, with both values. Secrets are masked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from auterity.kernel.access import Actor
from auterity.kernel.errors import InvalidInput, RevisionConflict
from workflows import selectors
from workflows.changes import WorkflowChange
from workflows.diff import ABSENT, Difference, Part, diff
from workflows.errors import VersionNotFound
from workflows.log import PUBLISHED
from workflows.merge import Path, State, alike, grain
from workflows.models import Workflow, WorkflowOperation
from workflows.secrets import masked_setting
from workflows.shapes import read_definition, write_node

MAX_SHOWN = 100  # fields in dispute that are listed

Json = dict[str, Any]


def check(actor: Actor, workflow: Workflow, change: WorkflowChange) -> None:
    """Raise `RevisionConflict` where a locked workflow has moved on since the version, or the revision, that was edited.

    Its details carry `given` and `current`, and `conflicts`: each field that both sides changed, with `yours` and `stored`.
    """
    if change.version is not None and change.version != workflow.version:
        given, current, named = change.version, workflow.version, "version"
    elif change.revision is not None and change.revision != workflow.revision:
        given, current, named = change.revision, workflow.revision, "revision"
    else:
        return
    raise RevisionConflict(
        f"You edited {named} {given}; the stored one is {named} {current}. Read it again, then repeat your change.",
        given=given,
        current=current,
        version=workflow.version,
        revision=workflow.revision,
        conflicts=list(_conflicts(actor, workflow, change))[:MAX_SHOWN],
    )


def base_of(actor: Actor, workflow: Workflow, *, version: int | None, revision: int | None) -> Json | None:
    """The definition as it was at a version, or at a revision; None where that is not known any more, or nothing came after."""
    number = version
    if number is None:
        rows = WorkflowOperation.objects.of(actor).filter(workflow=workflow, revision__gt=revision)
        first = rows.order_by("revision").first()
        if first is None:
            return None
        number = first.data.get("version_before", first.version - 1) if first.operation != PUBLISHED else first.version
    try:
        found: Json = selectors.get_version(actor=actor, workflow=workflow, number=number).definition
    except VersionNotFound:
        return None
    return found


def fields_of(difference: Difference) -> dict[tuple[str, str, Path], None]:
    """Part, key and field of everything that differs; no field where a whole node or edge is new or gone."""
    found: dict[tuple[str, str, Path], None] = {}
    for part in ("nodes", "edges"):
        about: Part = getattr(difference, part)
        found |= {(part, str(each.get("id")), ()): None for each in (*about.added, *about.removed)}
        for each in (*about.changed, *about.layout):
            found |= {(part, each.key, grain(one.path)): None for one in each.changes}
    variables = difference.variables
    names = [str(each.get("name")) for each in (*variables.added, *variables.removed)]
    names += [each.key for each in variables.changed]
    found |= {("rest", "", ("variables", name)): None for name in names}
    return found | {("rest", "", grain(each.path)): None for each in difference.rest}


def value_at(state: State, part: str, key: str, path: Path) -> Any:
    """What stands in a field as `fields_of` names it; `ABSENT` where nothing does."""
    if part == "rest":
        return state.value("", path)
    thing = (state.nodes if part == "nodes" else state.edges).get(key, ABSENT)
    if not path or thing is ABSENT:
        return thing
    inner = thing.get(path[0], ABSENT)
    return inner.get(path[1], ABSENT) if len(path) > 1 and isinstance(inner, Mapping) else inner


def _shown(state: State, part: str, key: str, path: Path, value: Any) -> Any:
    if value is ABSENT:
        return None
    if part == "nodes" and not path:
        return write_node(value)
    return (
        masked_setting(state.nodes[key]["type"], path[1], value) if part == "nodes" and path[0] == "config" else value
    )


# -- inside ----------------------------------------------------------------------------------------------------------


def _conflicts(actor: Actor, workflow: Workflow, change: WorkflowChange) -> Iterator[Json]:
    for name in ("name", "description", "category", "is_active"):
        yours, stored = getattr(change, name), getattr(workflow, name)
        if yours is not None and yours != stored:
            yield _conflict(name, yours, stored)
    stored_definition = selectors.get_version(actor=actor, workflow=workflow).definition
    base = base_of(actor, workflow, version=change.version, revision=change.revision)
    try:
        wanted = change.definition or read_definition(change.parts or {}, base or stored_definition)
    except InvalidInput:
        return  # What cannot be read is refused for that once it is sent on the newest revision.
    if wanted is None:
        return
    mine = fields_of(diff(base, wanted)) if base is not None else fields_of(diff(stored_definition, wanted))
    theirs = fields_of(diff(base, stored_definition)) if base is not None else mine
    yours, stored = State.of(wanted), State.of(stored_definition)
    for part, key, path in mine:
        if any(other[:2] == (part, key) and (other[2] == path or not other[2] or not path) for other in theirs):
            values = [value_at(each, part, key, path) for each in (yours, stored)]
            if not alike(*values):
                name = ".".join((part, key, *path) if part != "rest" else path)
                shown = [
                    _shown(each, part, key, path, value) for each, value in zip((yours, stored), values, strict=True)
                ]
                yield _conflict(name, *shown)


def _conflict(field: str, yours: Any, stored: Any) -> Json:
    return {"field": field, "message": "Yours is not what is stored.", "yours": yours, "stored": stored}
