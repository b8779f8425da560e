"""The short forms of the gates about security."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.db import models

from auterity.kernel.tenancy import TenantManager
from tests.load import (
    g14_tenants,
    g15_doors,
    g16_roles,
    g18_malformed,
    g19_expressions,
    g20_outgoing,
    g21_uploads,
    g22_refresh,
    g23_guesses,
    g24_slow_readers,
    g25_socket_abuse,
    g26_markers,
    g27_rotation,
    g28_webhooks,
)

GATES = [
    g14_tenants,
    g15_doors,
    g16_roles,
    g18_malformed,
    g19_expressions,
    g20_outgoing,
    g21_uploads,
    g22_refresh,
    g23_guesses,
    g24_slow_readers,
    g25_socket_abuse,
    g26_markers,
    g27_rotation,
    g28_webhooks,
]


@pytest.mark.load
@pytest.mark.timeout(900)
@pytest.mark.parametrize("gate", GATES, ids=lambda gate: gate.__name__)
def test_the_gate_is_passed(transactional_db: None, settings: Any, gate: Any) -> None:
    settings.EGRESS_ALLOW = ["127.0.0.1"]
    figures = gate.measure(True)
    print(json.dumps(figures))
    assert figures["passed"], json.dumps(figures)


@pytest.mark.load
@pytest.mark.timeout(900)
def test_a_missing_tenant_filter_is_noticed(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A gate that cannot fail proves nothing."""
    made = g14_tenants.estate

    def then_without_a_filter(name: str) -> Any:
        estate = made(name)
        if name == "thief":
            monkeypatch.setattr(TenantManager, "of", lambda self, tenant: models.Manager.get_queryset(self))
        return estate

    monkeypatch.setattr(g14_tenants, "estate", then_without_a_filter)
    figures = g14_tenants.measure(True, only="/api/workflows/{workflow_id}")
    assert not figures["passed"]
    assert "GET /api/workflows/{workflow_id}" in figures["markers_seen"]
    assert "GET /api/workflows/{workflow_id}: 200" in figures["wrong_statuses"]
