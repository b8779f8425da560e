"""The short forms of the gates about secrets and access."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.load import g14_tenants, g15_doors, g16_roles, g22_refresh, g23_guesses, g27_rotation


@pytest.mark.load
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "gate", [g14_tenants, g15_doors, g16_roles, g22_refresh, g23_guesses, g27_rotation], ids=lambda gate: gate.__name__
)
def test_the_gate_is_passed(transactional_db: None, gate: Any) -> None:
    figures = gate.measure(True)
    assert figures["passed"], json.dumps(figures, indent=1)
