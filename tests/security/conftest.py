from __future__ import annotations

from uuid import UUID

import pytest
from django.core.cache import caches

from accounts.models import Organization
from auterity.kernel.access import Role
from tests.api.people import Person, colleague, founder


@pytest.fixture(autouse=True)
def nothing_cached() -> None:
    caches["process"].clear()


@pytest.fixture
def ours(db: None) -> UUID:
    return Organization.objects.create(name="AutoDealer Inc.").pk


@pytest.fixture
def ann(db: None) -> Person:
    return founder("ann@example.com", "AutoDealer Inc.")


@pytest.fixture
def member(ann: Person) -> Person:
    return colleague(ann, "member@example.com", Role.MEMBER)
