"""The short forms of the gates about cancelling, poison, fairness and back-pressure."""

from __future__ import annotations

from typing import Any

import pytest

from executions.admission import ADMISSION
from tests.load import g08_cancel, g10_poison, g11_fairness, g12_backpressure


@pytest.mark.load
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "gate", [g08_cancel, g10_poison, g11_fairness, g12_backpressure], ids=lambda gate: gate.__name__
)
def test_the_gate_is_passed(transactional_db: None, gate: Any) -> None:
    ADMISSION.forget()
    figures = gate.measure(True)
    assert figures["passed"], figures
