"""What a higher tier takes, and the address that each requirement names."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from django.conf import settings

from accounts.tiers import Requirement
from security.upgrades import WAYS

DOCUMENTS = [json.loads(each.read_text()) for each in Path(settings.ROOT, "docs", "openapi").glob("*.json")]


@pytest.mark.parametrize("requirement", Requirement)
def test_a_requirement_is_met_at_an_address_that_there_is(requirement: Requirement) -> None:
    assert [each["info"]["title"] for each in DOCUMENTS if WAYS[requirement].path in each["paths"]] != []
