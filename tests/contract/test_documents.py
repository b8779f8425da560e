"""Every operation of the documents is served, in every edition, exactly as it is written."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.contract.contracts import CONTRACTS, Contract, served
from tests.contract.listening import SOCKETS, listen
from tests.contract.player import Player
from tests.contract.world import World

pytestmark = pytest.mark.timeout(600)  # The first of them waits for the product.

PLAYS = [
    pytest.param(contract, name, edition, id="-".join(part for part in (contract.name, name, edition) if part))
    for contract in CONTRACTS.values()
    for name in contract.operations
    for edition in contract.editions
]


@pytest.mark.parametrize(("contract", "name", "edition"), PLAYS)
def test_it_answers_as_it_is_written(
    world: World, contract: Contract, name: str, edition: str, record_property: Callable[[str, int], None]
) -> None:
    operation = contract.operations[name]
    assert operation["plays"]
    assert operation["call"] in served(), f"{operation['call']} is documented and not served: is it for later?"
    about = f"contract of {contract.name}:"
    record_property(f"{about} operations", int(edition == contract.first_edition))
    played = Player(world, contract, edition).play(operation)
    record_property(f"{about} requests", played.plays)
    record_property(f"{about} refusals", played.refusals)
    record_property(f"{about} that cannot be played here", len(played.unplayed))
    assert played.wrong == []


@pytest.mark.parametrize("contract", CONTRACTS.values(), ids=CONTRACTS)
def test_every_operation_is_played_or_known_not_to_be(
    contract: Contract, record_property: Callable[[str, int], None]
) -> None:
    """Nothing is served that no document, nor a list of ours, has; and nothing that is for later is served already."""
    calls = {each["call"] for each in contract.operations.values()}
    everywhere = {each["call"] for one in CONTRACTS.values() for each in one.operations.values()}
    own = {call for call, dialect in served().items() if dialect == contract.name}
    assert own - everywhere == contract.own
    assert contract.own | calls <= set(served())
    assert not contract.own & calls
    assert contract.later & set(served()) == set(), "these are served: write how they are played"
    record_property(f"contract of {contract.name}: operations documented and not served yet", len(contract.later))


@pytest.mark.parametrize("name", SOCKETS)
def test_its_frames_come_as_they_are_written(
    world: World, name: str, record_property: Callable[[str, int], None]
) -> None:
    record_property("contract of auterity: sockets", 1)
    wrong = listen(world, SOCKETS[name])
    assert wrong is not None, f"{SOCKETS[name]['path']} is documented and not served"
    assert wrong == []
