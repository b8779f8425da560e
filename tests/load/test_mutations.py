"""The mutations themselves take long; that each still finds the guard it takes out does not."""

from __future__ import annotations

import pytest

from tests.load import mutations, security_mutations
from tests.load.mutations import ROOT, Mutation


@pytest.mark.parametrize("mutation", [*mutations.MUTATIONS, *security_mutations.MUTATIONS], ids=lambda each: each.name)
def test_the_guard_is_where_the_mutation_looks_for_it(mutation: Mutation) -> None:
    assert mutation.misplaced(ROOT) == []
    assert all((ROOT / each.partition("::")[0]).exists() for each in mutation.test.split())
