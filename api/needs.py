"""What an operation asks of its caller, declared beside it: a permission or several, a login and no more, or nothing at all.

Deny by default: an operation that declares nothing is refused to everybody, and the product does not start with one.
The services ask again for what they do; the two are compared by the table of roles and operations in the tests.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from functools import cache
from typing import Any

from django.core.checks import CheckMessage, Error
from django.core.exceptions import ImproperlyConfigured
from django.urls import URLPattern, URLResolver, get_resolver

from api.dialect import DIALECTS
from auterity.kernel.access import Actor, Permission, Scope, require, require_person, require_scope
from auterity.kernel.errors import PermissionDenied, ScopeDenied

VERBS = ("get", "post", "put", "patch", "delete")


class Door(StrEnum):
    """What is asked where no permission is."""

    OPEN = "open"  # nobody has to say who they are
    PERSON = "person"  # a living login, and no API key: what only somebody who logged in may do
    SIGNED_IN = "signed_in"  # anybody with a living login or key: it is about the caller, or decided row by row


OPEN = Door.OPEN
SIGNED_IN = Door.SIGNED_IN
PERSON = Door.PERSON
# Of several all. With a scope an operation also takes narrow tokens that have it; for any other login a scope asks nothing.
Needs = Door | Permission | Scope | tuple[Permission | Door | Scope, ...]


def written(needs: Needs) -> str:
    """As the OpenAPI document says it under `x-permission`: several are parted by blanks."""
    return " ".join(needs) if isinstance(needs, tuple) else needs.value


def needs_of(view: Any, verb: str) -> Needs | None:
    """What a view's method declares, or its class for pages that are no operations. None: nobody said."""
    declared = getattr(getattr(view, verb, None), "operation", None)
    found: Needs | None = getattr(view, "needs", None) if declared is None else declared.needs
    return found


def check(actor: Actor, needs: Needs | None) -> None:
    """Raises `PermissionDenied`, or `ScopeDenied` for a narrow token where none is taken or not this one."""
    if needs is None:
        raise PermissionDenied("Nobody may do this: it does not say what it needs.")
    asked = needs if isinstance(needs, tuple) else (needs,)
    if actor.scopes is not None and not any(isinstance(each, Scope) for each in asked):
        raise ScopeDenied
    for each in asked:
        if isinstance(each, Scope):
            require_scope(actor, each)
        elif each is PERSON:
            require_person(actor)
        elif isinstance(each, Permission):
            require(actor, each)


def undeclared() -> list[str]:
    """Each operation that does not say what it needs, or says something else than its class: `METHOD /path: why`."""
    return [f"{verb.upper()} {path}: {why}" for path, view, verb in _operations() if (why := _problem(view, verb))]


def refuse_undeclared() -> None:
    """Raises `ImproperlyConfigured` where there are any: to be called before the first request is answered."""
    if found := _undeclared_once():
        raise ImproperlyConfigured("Every operation declares what it needs. These do not: " + "; ".join(found))


def check_operations(**_about: Any) -> list[CheckMessage]:
    """The same for `manage.py check`."""
    return [Error(each, hint="Give its @operation a needs=.", id="api.E001") for each in undeclared()]


@cache
def _undeclared_once() -> tuple[str, ...]:
    return tuple(undeclared())


def _problem(view: Any, verb: str) -> str:
    if view is None:
        return "this is no view of the API"
    needs = needs_of(view, verb)
    if needs is None:
        return "it declares nothing"
    if hasattr(view, "public") and view.public != (needs is OPEN):
        return "its class is public and it is not open" if view.public else "it is open and its class is not public"
    return ""


def _operations() -> Iterator[tuple[str, Any, str]]:
    """Every route of every dialect with every method it takes; a view of None for what is none of ours."""
    for path, callback in _routes(get_resolver(), "/"):
        if DIALECTS.of_path(path) is None:
            continue
        view = getattr(callback, "cls", None)
        verbs = [each for each in VERBS if view is None or hasattr(view, each)]
        yield from ((path, view, verb) for verb in verbs)


def _routes(resolver: URLResolver, prefix: str) -> Iterator[tuple[str, Any]]:
    for each in resolver.url_patterns:
        path = f"{prefix}{each.pattern}"
        if isinstance(each, URLResolver):
            yield from _routes(each, path)
        elif isinstance(each, URLPattern):
            yield path, each.callback
