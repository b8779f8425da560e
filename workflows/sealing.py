"""Secret settings at rest: a definition holds a reference, and the value stands sealed in a row of its own.

A reference is text, so that versions, edits, drafts and templates carry it and compare it like any other setting. The same value
gets the same reference inside an organization: two editors who mean the same agree, and saving what is stored changes nothing.
Whoever reads a definition sees a mask; a reference that names no row of the organization is a value like any other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils.crypto import salted_hmac

from auterity.kernel.vault import SecretUnreadable
from engine.expressions import contains_template
from vault import keys
from vault.registry import place
from workflows.models import WorkflowSecret
from workflows.secrets import BODY, HEADERS, REFERENCE, has_headers, is_secret_header, marked_text, secret_names

Json = dict[str, Any]

_PREFIX = "sealed:"
_SETTINGS = ("config", "data")  # the two names under which a held workflow keeps a node's settings
_BATCH = 500


def sealed_definition(organization_id: UUID, definition: Json, *, blanks: bool = False) -> Json:
    """A canonical definition with every secret in it replaced by a reference; the same object where it holds none.

    With `blanks`, a text that is still to be filled in (`{{ name }}`) stays: it is no secret yet.
    """
    if not isinstance(definition.get("nodes"), list):
        return definition
    seal = _sealer(organization_id, definition, blanks=blanks)
    nodes = [_node(each, seal) for each in definition["nodes"]]
    if all(new is old for new, old in zip(nodes, definition["nodes"], strict=True)):
        return definition
    return {**definition, "nodes": nodes}


def sealed_change(organization_id: UUID, change: Json) -> Json:
    """What an edit of a draft does, or what was there before, with every secret in it replaced by a reference."""
    seal = _sealer(organization_id, change)
    if isinstance(change.get("node"), Mapping):
        return {**change, "node": _node(change["node"], seal)}
    if not isinstance(change.get("set"), list) or "type" not in change:
        return change
    return {**change, "set": [[path, _setting(change["type"], path, value, seal)] for path, value in change["set"]]}


def reveal(organization_id: UUID, value: str) -> str:
    """The secret that a setting stands for, for who must compare or use it now. A text that is no reference is itself.

    Raises `SecretUnreadable` where its row or its key is gone.
    """
    named = REFERENCE.fullmatch(value)
    if named is None:
        return value
    row = WorkflowSecret.objects.of(organization_id).filter(id=named[1]).first()
    if row is None:
        raise SecretUnreadable("A stored secret is gone; give it anew.")
    where = place(row._meta.db_table, row.id, "sealed")
    return keys.reveal(organization_id=organization_id, place=where, sealed=bytes(row.sealed)).decode()


# -- inside ----------------------------------------------------------------------------------------------------------


def _sealer(organization_id: UUID, value: Any, *, blanks: bool = False) -> Callable[[Any], Any]:
    known: set[str] | None = None

    def seal(secret: Any) -> Any:
        nonlocal known
        if not isinstance(secret, str) or not secret or (blanks and contains_template(secret)):
            return secret
        if (named := REFERENCE.fullmatch(secret)) is not None:
            known = _known(organization_id, value) if known is None else known
            if named[1] in known:
                return secret
        return _reference(organization_id, secret)

    return seal


def _known(organization_id: UUID, value: Any) -> set[str]:
    """Those of the references anywhere in a value that name rows of the organization."""
    wanted = sorted(set(_references(value)))
    rows = WorkflowSecret.objects.of(organization_id)
    parts = (wanted[at : at + _BATCH] for at in range(0, len(wanted), _BATCH))
    return {str(found) for part in parts for found in rows.filter(id__in=part).values_list("id", flat=True)}


def _references(value: Any) -> Iterator[str]:
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, Mapping):
            waiting += each.values()
        elif isinstance(each, list | tuple):
            waiting += each
        elif isinstance(each, str) and (named := REFERENCE.fullmatch(each)) is not None:
            yield named[1]


def _node(node: Any, seal: Callable[[Any], Any]) -> Any:
    """A node with its settings sealed, and those of the nodes that it holds; the same object where nothing changes."""
    if not isinstance(node, Mapping):
        return node
    changed = {}
    for name in _SETTINGS:
        if isinstance(config := node.get(name), Mapping):
            new = {key: _setting(node.get("type"), ("config", key), each, seal) for key, each in config.items()}
            if any(new[key] is not each for key, each in config.items()):
                changed[name] = new
    return {**node, **changed} if changed else node


def _setting(node_type: Any, path: Any, value: Any, seal: Callable[[Any], Any]) -> Any:
    if len(path) != 2 or path[0] != "config":
        return value
    if path[1] in secret_names(node_type):
        return seal(value)
    if path[1] == HEADERS and has_headers(node_type) and isinstance(value, Mapping):
        headers = {name: _header(name, each, seal) for name, each in value.items()}
        return headers if any(headers[name] is not each for name, each in value.items()) else value
    nodes = value.get("nodes") if path[1] == BODY and isinstance(value, Mapping) else None
    if not isinstance(nodes, list):
        return value
    inner = [_node(each, seal) for each in nodes]
    return value if all(new is old for new, old in zip(inner, nodes, strict=True)) else {**value, "nodes": inner}


def _header(name: str, value: Any, seal: Callable[[Any], Any]) -> Any:
    """A mark goes once what it marks is sealed: from then on the reference says so."""
    secret = marked_text(value)
    if secret is None:
        return seal(value) if is_secret_header(name, value) else value
    sealed = seal(secret)
    return value if sealed == secret else sealed


def _reference(organization_id: UUID, secret: str) -> str:
    fingerprint = salted_hmac(f"workflow secret {organization_id}", secret, algorithm="sha256").hexdigest()
    rows = WorkflowSecret.objects.of(organization_id).filter(fingerprint=fingerprint)
    found = rows.values_list("id", flat=True).first()
    if found is None:
        row = WorkflowSecret(organization_id=organization_id, fingerprint=fingerprint)
        where = place(row._meta.db_table, row.id, "sealed")
        row.sealed = keys.seal(organization_id=organization_id, place=where, plain=secret.encode())
        try:
            with transaction.atomic():
                row.save(force_insert=True)
            found = row.id
        except IntegrityError:  # Somebody stored the same secret at this moment.
            found = rows.values_list("id", flat=True).get()
    return f"{_PREFIX}{found}"
