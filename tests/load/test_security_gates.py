"""The short forms of the gates about security."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.load import (
    g18_malformed,
    g20_outgoing,
    g21_uploads,
    g24_slow_readers,
    g25_socket_abuse,
    g26_markers,
    g27_rotation,
    g28_webhooks,
)

GATES = [
    g18_malformed,
    g20_outgoing,
    g21_uploads,
    g24_slow_readers,
    g25_socket_abuse,
    g26_markers,
    g27_rotation,
    g28_webhooks,
]


@pytest.mark.load
@pytest.mark.timeout(300)
@pytest.mark.parametrize("gate", GATES, ids=lambda gate: gate.__name__)
def test_the_gate_is_passed(transactional_db: None, settings: Any, gate: Any) -> None:
    settings.EGRESS_ALLOW = ["127.0.0.1"]
    figures = gate.measure(True)
    print(json.dumps(figures))
    assert figures["passed"], json.dumps(figures)
