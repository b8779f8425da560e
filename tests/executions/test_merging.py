"""Ways that come together again in a `merge`."""

from __future__ import annotations

from auterity.kernel.access import Actor
from executions.runner import Runner
from tests.executions.support import ended, flow, start, steps_of, until


def test_the_first_way_to_arrive_goes_on_and_the_others_end_there(actor: Actor, runner: Runner) -> None:
    nodes = {
        "a": "start",
        "slow": ("delay", {"seconds": 2}),
        "quick": "start",
        "join": ("merge", {"mode": "first"}),
        "after": "start",
    }
    accepted = start(actor, flow(nodes, "a > slow", "a > quick", "slow > join", "quick > join", "join > after"))
    until(lambda: "after" in steps_of(accepted), what="the step after the merge")
    assert steps_of(accepted)["slow"].status == "waiting"
    assert ended(accepted).status == "completed"
    assert steps_of(accepted)["join"].output_data == {"quick": {}}
