from __future__ import annotations

from uuid import UUID

import pytest

from accounts.models import Organization


@pytest.fixture
def ours(db: None) -> UUID:
    return Organization.objects.create(name="AutoDealer Inc.").pk


@pytest.fixture
def theirs(db: None) -> UUID:
    return Organization.objects.create(name="Other Motors").pk
