"""`custom-model`: one question to a model of the organization's own (000, CustomModelRequest and CustomModelResponse)."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from engine.node import Done, Effect, NodeConfig, Outcome, Step, node
from engine.ports import Inference
from nodes.settings.checks import Problems
from nodes.settings.text import Text


class Config(NodeConfig):
    model_id: Text = Field(description="The model's name in the organization's registry.")
    version: Text = Field(default="", description="Which version; the newest active one if not given.")
    input: dict[str, Any] = Field(default={}, description="What the model is asked.")
    parameters: dict[str, Any] = Field(default={}, description="How it is to answer; what it takes is the model's own.")


def check(config: Config) -> Problems:
    return [] if config.model_id.strip() else [("model_id", "Name the model to ask.")]


def sample(config: Config) -> dict[str, Any]:
    """An answer without content, of the model that would be asked."""
    return {
        "model_id": config.model_id,
        "version": config.version,
        "output": {},
        "confidence_score": None,
        "processing_time_ms": 0.0,
        "metadata": None,
    }


@node(
    "custom-model",
    title="Custom model",
    config=Config,
    effect=Effect.REPEATABLE,
    default_timeout=60.0,
    check=check,
    sample=sample,
    asks_ai=True,
)
def run(config: Config, step: Step) -> Outcome:
    """Asks a model that the organization registered."""
    asked = Inference(step.key, config.model_id.strip(), config.version.strip(), config.input, config.parameters)
    inferred = step.ports.models.infer(asked, timeout=step.timeout)
    return Done(
        {
            "model_id": inferred.model_id,
            "version": inferred.version,
            "output": dict(inferred.output),
            "confidence_score": inferred.confidence_score,
            "processing_time_ms": round(inferred.usage.duration_ms, 1),
            "metadata": inferred.metadata,
        },
        usage=inferred.usage,
    )
