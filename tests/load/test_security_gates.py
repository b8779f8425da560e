"""The short forms of the gates about security."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.load import g26_markers, g27_rotation


@pytest.mark.load
@pytest.mark.timeout(300)
@pytest.mark.parametrize("gate", [g26_markers, g27_rotation], ids=lambda gate: gate.__name__)
def test_the_gate_is_passed(transactional_db: None, settings: Any, gate: Any) -> None:
    settings.EGRESS_ALLOW = ["127.0.0.1"]
    figures = gate.measure(True)
    assert figures["passed"], json.dumps(figures)
