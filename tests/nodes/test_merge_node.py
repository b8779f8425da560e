from engine.node import Done
from engine.testing import FakeStep, run_node

ARRIVED = {"left": {"a": 1}, "right": [2]}


def test_what_arrived_is_handed_on_as_a_map() -> None:
    assert run_node("merge", {}, FakeStep(input=ARRIVED)) == Done(ARRIVED)


def test_or_as_a_list_in_the_order_of_arrival() -> None:
    assert run_node("merge", {"combine": "list"}, FakeStep(input=ARRIVED)) == Done([{"a": 1}, [2]])
    assert run_node("merge", {"combine": "list"}, FakeStep(input={"left": "alone"})) == Done(["alone"])
