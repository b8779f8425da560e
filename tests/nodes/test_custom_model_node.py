from engine.node import Done, Effect
from engine.ports import Inference, Inferred, Usage
from engine.registry import NODES
from engine.testing import FakeStep, memory_ports, problems_of, run_node


def test_the_answer_is_000s_response() -> None:
    usage = Usage("custom-model", "lead-scorer:1.2", duration_ms=12.34)
    inferred = Inferred("lead-scorer", "1.2", {"score": 0.9}, 0.8, None, usage)
    ports = memory_ports(inferred=[inferred])
    config = {"model_id": "lead-scorer", "input": {"budget": 25000}, "parameters": {"fast": True}}
    outcome = run_node("custom-model", config, FakeStep(ports=ports, key="e/n/0"))
    assert outcome == Done(
        {
            "model_id": "lead-scorer",
            "version": "1.2",
            "output": {"score": 0.9},
            "confidence_score": 0.8,
            "processing_time_ms": 12.3,
            "metadata": None,
        },
        usage=usage,
    )
    assert ports.models.asked == [Inference("e/n/0", "lead-scorer", "", {"budget": 25000}, {"fast": True})]  # type: ignore[attr-defined]


def test_it_may_be_repeated_and_needs_a_name() -> None:
    assert NODES.get("custom-model").effect is Effect.REPEATABLE
    assert [where for where, _ in problems_of("custom-model", {"model_id": " "})] == ["model_id"]
