"""Deny by default: who does not say what an operation needs has not opened it."""

from __future__ import annotations

from uuid import UUID

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.urls import path

from api import needs
from api.auterity.views.executions import LogsView
from auterity.kernel.access import Actor, Permission, Role
from auterity.kernel.errors import PermissionDenied

NOBODY = UUID(int=0)


def somebody(*permissions: Permission) -> Actor:
    return Actor(NOBODY, NOBODY, Role.ADMIN, frozenset(permissions))


def test_what_declares_nothing_is_refused_to_everybody() -> None:
    with pytest.raises(PermissionDenied):
        needs.check(somebody(*Permission), None)


def test_every_permission_of_several_is_asked_for() -> None:
    some = somebody(Permission.WORKFLOW_READ)
    needs.check(some, Permission.WORKFLOW_READ)
    with pytest.raises(PermissionDenied):
        needs.check(some, (Permission.WORKFLOW_READ, Permission.WORKFLOW_DELETE))


def test_the_product_does_not_start_with_an_operation_that_declares_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    class Forgotten(LogsView):
        def get(self, request: object) -> None:
            """Nobody said what this needs."""

    resolver = needs.get_resolver()
    monkeypatch.setattr(resolver, "url_patterns", [path("api/forgotten", Forgotten.as_view())])
    needs._undeclared_once.cache_clear()
    try:
        with pytest.raises(ImproperlyConfigured, match="GET /api/forgotten: it declares nothing"):
            needs.refuse_undeclared()
    finally:
        needs._undeclared_once.cache_clear()
