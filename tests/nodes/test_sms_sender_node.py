from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.node import Done, Effect, Failed
from engine.ports import Rejected, Sms, Unknown
from engine.registry import NODES
from engine.testing import FakeStep, RecordingSms, memory_ports, problems_of, run_node
from nodes.formats.sms import segments

PLAIN = {"to": "(512) 555-0143", "message": "Your car is ready."}
NOW = "2026-11-20T09:00:00Z"


def send(config: dict[str, Any], **ports: Any) -> tuple[Any, list[Sms]]:
    outside = memory_ports(**ports)
    outcome = run_node("sms-sender", config, FakeStep(ports=outside, key="e/n/0"))
    assert isinstance(outside.sms, RecordingSms)
    return outcome, outside.sms.sent


def test_a_message_goes_out_once_to_the_whole_number() -> None:
    outcome, sent = send({**PLAIN, "from": "+15125550100"})
    assert sent == [Sms("e/n/0", "+15125550143", "Your car is ready.", "+15125550100", (), NOW)]
    assert outcome == Done(
        {
            "message_id": "SM-e/n/0",
            "status": "queued",
            "to": "+15125550143",
            "segments": 1,
            "cost": None,
            "currency": "",
            "provider": "memory",
        }
    )


@pytest.mark.parametrize(
    ("number", "country", "e164"),
    [
        ("06 12 34 56 78", "FR", "+33612345678"),
        ("+44 (0)20 7946 0958", "", "+442079460958"),
        (5125550143, "", "+15125550143"),
    ],
)
def test_numbers_are_read_by_their_country(number: Any, country: str, e164: str) -> None:
    _, sent = send({**PLAIN, "to": number, "country": country})
    assert sent[0].to == e164


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"to": ""}, "to"),
        ({"to": "911"}, "to"),
        ({"to": "+1512555014\n3; +15125550999 x"}, "to"),
        ({"to": "call me"}, "to"),
        ({"message": ""}, "message"),
        ({"message": "x" * 1531}, "message"),
        ({"message": "ж" * 671}, "message"),
        ({"from": "A name that is too long"}, "from"),
        ({"from": "+1512; DROP"}, "from"),
    ],
)
def test_what_cannot_be_sent_is_not_sent(change: dict[str, Any], field: str) -> None:
    outcome, sent = send({**PLAIN, **change})
    assert sent == []
    assert isinstance(outcome, Failed)
    assert field in outcome.details["fields"]
    assert field in [where for where, _ in problems_of("sms-sender", {**PLAIN, **change})]


def test_what_a_template_brings_is_checked_when_it_runs() -> None:
    templates = {"to": "{{ inputs.phone }}", "message": "{{ inputs.text }}"}
    assert problems_of("sms-sender", templates) == []
    outcome, sent = send({**PLAIN, "media_urls": ["http://a.example/x.png"]})
    assert (sent, outcome.code, list(outcome.details["fields"])) == ([], "rejected", ["media_urls"])


def test_a_stored_connection_is_used_instead() -> None:
    own = RecordingSms()
    outcome, sent = send({**PLAIN, "connection_id": "c1"}, connections={"c1": own})
    assert (sent, len(own.sent), outcome.output["status"]) == ([], 1, "queued")
    with pytest.raises(Rejected, match="There is no such connection"):
        send({**PLAIN, "connection_id": "c2"}, connections={"c1": own})


def test_after_a_crash_it_is_looked_up_and_a_lost_answer_is_not_repeated() -> None:
    node_type = NODES.get("sms-sender")
    assert (node_type.effect, node_type.lookup is not None) == (Effect.UNKEYED, True)
    config = node_type.config.model_validate(PLAIN)
    step = FakeStep(key="e/n/0")
    assert node_type.lookup(config, step) is None  # type: ignore[misc]
    sent = node_type.run(config, step)
    assert node_type.lookup(config, step) == sent  # type: ignore[misc]
    with pytest.raises(Unknown):
        send(PLAIN, sms_failures=[Unknown("lost")])


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 1), ("a" * 160, 1), ("a" * 161, 2), ("a" * 306, 2), ("a" * 307, 3), ("€" * 80, 1), ("€" * 81, 2),
        ("ж" * 70, 1), ("ж" * 71, 2), ("ж" * 134, 2), ("ж" * 135, 3), ("😀" * 35, 1), ("😀" * 36, 2), ("😀" * 66, 2),
        ("😀" * 67, 3),
    ],
)  # fmt: skip
def test_segments(text: str, count: int) -> None:
    assert segments(text) == count


@given(st.text(max_size=400))
def test_more_text_never_takes_fewer_segments(text: str) -> None:
    assert segments(text) <= segments(text + "a") <= segments(text) + 1
