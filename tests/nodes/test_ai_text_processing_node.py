from typing import Any

import pytest

from engine.node import Done, Failed
from engine.ports import Prompt, Rejected, Unavailable
from engine.registry import NODES
from engine.testing import Answer, FakeStep, ScriptedLlm, completion, memory_ports, problems_of, run_node

SCHEMA = {"type": "object", "properties": {"intent": {"type": "string"}}}


def ask(config: dict[str, Any], *answers: Answer) -> tuple[Any, list[Prompt], FakeStep]:
    ports = memory_ports(completions=answers)
    step = FakeStep(ports=ports, key="e/n/0", timeout=120)
    outcome = run_node("ai-text-processing", {"prompt": "Why?", **config}, step)
    assert isinstance(ports.llm, ScriptedLlm)
    return outcome, ports.llm.prompts, step


def test_the_answer_comes_with_model_usage_and_cost() -> None:
    reply = completion("Because it is", cost_usd=0.002)
    outcome, prompts, _ = ask({"system": "Be brief.", "model": "m", "temperature": 0, "max_tokens": 50}, reply)
    assert outcome == Done(
        {
            "text": "Because it is",
            "data": None,
            "model": "scripted-1",
            "provider": "scripted",
            "usage": {"prompt_tokens": 10, "completion_tokens": 3, "total_tokens": 13},
            "cost_estimate": 0.002,
        },
        usage=reply.usage,
    )
    assert prompts == [Prompt("e/n/0", "Why?", "Be brief.", "m", 0, 50, labels=[])]


@pytest.mark.parametrize(
    ("config", "task"),
    [
        ({}, "free"),
        ({"labels": ["hot", "cold"]}, "classify"),
        ({"fields": {"name": "string"}}, "extract"),
        ({"task": "draft"}, "draft"),
    ],
)
def test_the_task_is_told_by_what_is_asked(config: dict[str, Any], task: str) -> None:
    _, prompts, _ = ask(config, completion("x", data={}))
    assert prompts[0].task == task


def test_data_is_handed_on() -> None:
    outcome, prompts, _ = ask({"response_schema": SCHEMA}, completion("{}", data={"intent": "buy"}))
    assert outcome.output["data"] == {"intent": "buy"}
    assert prompts[0].schema == SCHEMA


@pytest.mark.parametrize(
    ("config", "asked"),
    [
        ({"response_schema": SCHEMA}, "response_schema"),
        ({"labels": ["a"]}, "labels"),
        ({"fields": {"a": "string"}}, "fields"),
    ],
)
def test_an_answer_without_the_data_that_was_asked_for(config: dict[str, Any], asked: str) -> None:
    outcome, _, _ = ask(config, "I would rather not")
    assert isinstance(outcome, Failed)
    assert outcome.code == "rejected"
    assert f"The model's answer was not the JSON that {asked} asks for." in outcome.message
    assert outcome.details["text"] == "I would rather not"


def test_the_next_model_is_asked_when_one_is_unavailable() -> None:
    config = {"model": "a", "fallback_models": ["b", "c"]}
    outcome, prompts, step = ask(config, Unavailable("busy"), "Because", "never asked")
    assert outcome.output["text"] == "Because"
    assert [prompt.model for prompt in prompts] == ["a", "b"]
    assert step.lines == [
        ("warning", "A model is unavailable; the next one is asked.", {"model": "a", "code": "unavailable"})
    ]


def test_a_refusal_is_not_taken_elsewhere_and_the_last_failure_passes_through() -> None:
    with pytest.raises(Rejected, match="no"):
        ask({"model": "a", "fallback_models": ["b"]}, Rejected("no"), "Because")
    with pytest.raises(Unavailable, match="busy too"):
        ask({"model": "a", "fallback_models": ["b"]}, Unavailable("busy"), Unavailable("busy too"))


@pytest.mark.parametrize(
    ("config", "places"),
    [
        ({"prompt": "x"}, []),
        ({}, ["prompt"]),
        ({"prompt_id": "x"}, ["prompt_id"]),
        ({"prompt": "x", "tools": ["t"]}, ["tools"]),
        ({"prompt": "x", "budget_usd": 1}, ["budget_usd"]),
        ({"prompt": "x", "task": "classify"}, ["labels"]),
        ({"prompt": "x", "task": "extract"}, ["fields"]),
        ({"prompt": "x", "task": "extract", "response_schema": SCHEMA}, []),
    ],
)
def test_mistakes_are_found_when_it_is_saved(config: dict[str, Any], places: list[str]) -> None:
    assert [where for where, _ in problems_of("ai-text-processing", config)] == places


def test_an_empty_prompt_is_not_sent() -> None:
    outcome, prompts, _ = ask({"prompt": ""}, "x")
    assert isinstance(outcome, Failed)
    assert outcome.code == "config"
    assert prompts == []


def test_a_model_has_two_minutes() -> None:
    assert NODES.get("ai-text-processing").default_timeout == 120


def test_a_schema_that_is_none_is_refused_before_a_model_is_asked() -> None:
    with pytest.raises(Rejected, match="response_schema cannot be used"):
        ask({"response_schema": {"properties": {"intent": "string"}}}, completion("{}", data={}))
