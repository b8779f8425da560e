"""Every operation of the documents is served, in every edition, exactly as it is written."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.contract.listening import SOCKETS, listen
from tests.contract.player import EDITIONS, OPERATIONS, is_served, play
from tests.contract.stages import World

pytestmark = pytest.mark.timeout(600)  # The first of them waits for the product.

# Documented and not served yet. Whoever serves one takes it from here; the test fails until then.
PENDING: set[str] = set()


# Served otherwise than documented, and known; the test fails once it is mended, so that it leaves this list.
DIFFERENT: dict[str, str] = {
    "usage_quota_get": "what has no limit is null, where 000 writes a number",
}


@pytest.mark.parametrize("edition", EDITIONS)
@pytest.mark.parametrize("name", OPERATIONS)
def test_it_answers_as_it_is_written(
    world: World, name: str, edition: str, record_property: Callable[[str, int], None]
) -> None:
    operation = OPERATIONS[name]
    first = edition == EDITIONS[0]
    record_property("contract operations documented", int(first))
    if not is_served(world, operation):
        assert name in PENDING, f"{operation['call']} is documented and not served"
        record_property("contract operations pending", int(first))
        return
    assert name not in PENDING, f"{operation['call']} is served: take {name} from PENDING"
    record_property("contract operations served", int(first))
    played = play(world, operation, edition)
    record_property("contract requests played", played.plays)
    record_property("contract refusals played", played.refusals)
    record_property("contract that cannot be played here", len(played.unplayed))
    if name in DIFFERENT:
        assert played.wrong, f"{operation['call']} is as documented: take {name} from DIFFERENT"
        pytest.xfail(DIFFERENT[name])
    assert played.wrong == []


@pytest.mark.parametrize("name", SOCKETS)
def test_its_frames_come_as_they_are_written(
    world: World, name: str, record_property: Callable[[str, int], None]
) -> None:
    record_property("contract sockets documented", 1)
    wrong = listen(world, SOCKETS[name])
    if wrong is None:
        assert name in PENDING, f"{SOCKETS[name]['path']} is documented and not served"
        return
    assert name not in PENDING, f"{SOCKETS[name]['path']} is served: take {name} from PENDING"
    record_property("contract sockets served", 1)
    assert wrong == []


def test_what_is_pending_is_in_the_documents() -> None:
    assert set(OPERATIONS) | set(SOCKETS) >= PENDING
