"""`ai-text-processing`: one request to a language model (`schemas/node_configs.yaml`; 000, "OpenAI API")."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from engine.node import Effect, NodeConfig, Outcome, Step, node
from engine.ports import Prompt
from engine.samples import of_schema
from nodes.settings.asking import answered, complete, model_port
from nodes.settings.checks import Problems, not_yet
from nodes.settings.text import Text

_LATER = {
    "prompt_id": "Stored prompts cannot be named here yet; write the prompt itself.",
    "tools": "Tools cannot be called from a workflow step yet; use an api-integration step after this one.",
    "budget_usd": "A budget for one step comes later; limit the answer with max_tokens for now.",
}


class Config(NodeConfig):
    prompt: Text = Field(default="", description="What the model is asked.")
    system: Text = Field(default="", description="Who the model is to be, and rules it is to keep.")
    prompt_id: Text | None = Field(default=None, description="A stored prompt (comes later).")
    model: Text = Field(default="", description="The model's name; the organization's default if not given.")
    temperature: float | None = Field(default=None, ge=0, le=2, description="0 is sober, 2 is wild.")
    max_tokens: int | None = Field(default=None, ge=1, le=1_000_000, description="How long the answer may get.")
    response_schema: dict[str, Any] | None = Field(
        default=None, description="A JSON Schema; the answer is then an object of that form, in data."
    )
    tools: list[str] = Field(default=[], description="Tools the model may call (come later).")
    fallback_models: list[str] = Field(default=[], description="Models to ask, in order, when one is unavailable.")
    connection_id: Text | None = Field(
        default=None, description="A stored connection of type openai or ollama; the server's own model if not given."
    )
    budget_usd: float | None = Field(default=None, gt=0, description="What the step may cost (comes later).")
    task: Literal["summarize", "classify", "extract", "draft", "free"] | None = Field(
        default=None, description="What kind of work it is; told by labels and fields where it is not given."
    )
    labels: list[Text] = Field(default=[], description="The choices, for classify.")
    fields: dict[str, Any] = Field(default={}, description="What to find, for extract: names with their types.")


def check(config: Config) -> Problems:
    problems = not_yet(config, _LATER)
    if not config.prompt and not config.prompt_id:
        problems.append(("prompt", "Write what the model is asked, such as: Summarize {{ input.text }}."))
    if config.task == "classify" and not (config.labels or config.response_schema):
        problems.append(("labels", "To classify, the model needs labels to choose from, such as [hot, cold]."))
    if config.task == "extract" and not (config.fields or config.response_schema):
        problems.append(("fields", 'To extract, name what to find, such as {"name": "string"}.'))
    return problems


def sample(config: Config) -> dict[str, Any]:
    """An answer of the form that is asked for: the first label, a value for each field, or an object of the schema."""
    data: Any = None
    if config.response_schema is not None:
        data = of_schema(config.response_schema)
    elif config.labels:
        data = {"label": config.labels[0], "confidence": 1.0}
    elif config.fields:
        data = {
            name: of_schema(each if isinstance(each, dict) else {"type": each}) for name, each in config.fields.items()
        }
    return {
        "text": "This is a sample answer; no model was asked.",
        "data": data,
        "model": config.model or "sample",
        "provider": "sample",
        "usage": {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
        "cost_estimate": 0.0,
    }


@node(
    "ai-text-processing",
    title="AI text",
    config=Config,
    effect=Effect.REPEATABLE,
    default_timeout=120.0,
    check=check,
    sample=sample,
    asks_ai=True,
)
def run(config: Config, step: Step) -> Outcome:
    """Asks a language model to write, summarize, classify or extract."""
    prompts = [_prompt(config, step, model) for model in (config.model, *config.fallback_models)]
    return answered(complete(step, model_port(step, config.connection_id), prompts), _asked_for(config))


def _prompt(config: Config, step: Step, model: str) -> Prompt:
    task = config.task or ("classify" if config.labels else "extract" if config.fields else "free")
    return Prompt(
        key=step.key,
        text=config.prompt,
        system=config.system,
        model=model,
        temperature=config.temperature,
        max_tokens=config.max_tokens,
        schema=config.response_schema,
        task=task,
        labels=config.labels,
        fields=config.fields,
    )


def _asked_for(config: Config) -> str:
    """The setting that asks for data; empty where text is enough."""
    if config.response_schema is not None:
        return "response_schema"
    return "labels" if config.labels else "fields" if config.fields else ""
