"""What a prompt asks a model to give back, and reading it from what the model wrote. Shared by the LLM providers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from engine.ports import Prompt
from integrations.offline_rules.extract import as_schema, json_type

_FENCE = "```"
_TASKS = {
    "summarize": "Summarize the text. Keep to what it says.",
    "draft": "Write the text that is asked for, ready to be sent.",
    "classify": "Classify the text.",
    "extract": "Extract the fields from the text. Use null for whatever it does not say.",
}


class NotTheAnswer(ValueError):
    """The model's text is not the JSON asked for. The message says what is missing, without quoting the text."""


def wants_data(prompt: Prompt) -> bool:
    """Whether `Completion.data` is to be filled."""
    return bool(prompt.schema or prompt.labels or prompt.fields)


def answer_schema(prompt: Prompt) -> dict[str, Any] | None:
    """The JSON Schema of the answer; None for plain text.

    Labels give `{label, confidence}` with confidence from 0 to 1, fields give one nullable property each.
    """
    if prompt.schema:
        return dict(prompt.schema)
    if prompt.labels:
        properties: dict[str, Any] = {
            "label": {"type": "string", "enum": list(prompt.labels)},
            "confidence": {"type": "number", "minimum": 0, "maximum": 1},
        }
    elif prompt.fields:
        properties = {name: _nullable(as_schema(wanted)) for name, wanted in prompt.fields.items()}
    else:
        return None
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def instruction(prompt: Prompt, *, spell_schema: bool) -> str:
    """The system message: the prompt's own, what the task means, and the schema for servers that take none."""
    parts = [prompt.system, _TASKS.get(prompt.task, "")]
    schema = answer_schema(prompt)
    if schema is not None:
        parts.append("Answer with one JSON object and nothing else.")
        if spell_schema:
            parts.append(f"It must follow this JSON Schema: {json.dumps(schema, ensure_ascii=False)}")
    return "\n\n".join(part for part in parts if part)


def read_answer(prompt: Prompt, text: str) -> Any:
    """The parsed object of a model's answer, taken out of ``` fences or surrounding words. Raises NotTheAnswer."""
    data = _parsed(text)
    schema = answer_schema(prompt) or {}
    if json_type(schema) == "object" and not isinstance(data, dict):
        raise NotTheAnswer("it is not a JSON object")
    if isinstance(data, dict):
        missing = [
            name
            for name in schema.get("required", ())
            if name not in data and not (prompt.fields or name == "confidence")
        ]
        if missing:
            raise NotTheAnswer(f"it lacks {', '.join(missing)}")
    if prompt.labels and not prompt.schema:
        return _labelled(prompt, data)
    if prompt.fields and not prompt.schema:
        return {name: data.get(name) for name in prompt.fields}
    return data


def _labelled(prompt: Prompt, data: dict[str, Any]) -> dict[str, Any]:
    said = str(data["label"]).strip().lower()
    label = next((each for each in prompt.labels if each.lower() == said), None)
    if label is None:
        raise NotTheAnswer("it names a label that was not offered")
    confidence = data.get("confidence")
    sure = min(1.0, max(0.0, float(confidence))) if isinstance(confidence, (int, float)) else None
    return {"label": label, "confidence": sure}


def _parsed(text: str) -> Any:
    first, last = text.find("{"), text.rfind("}")
    for candidate in (text, _fenced(text), text[first : last + 1] if 0 <= first < last else ""):
        try:
            return json.loads(candidate)
        except (ValueError, RecursionError):
            continue
    raise NotTheAnswer("it is not JSON")


def _fenced(text: str) -> str:
    """What stands between the first two fences, without the word that names its language; "" where there are none."""
    _, fence, rest = text.partition(_FENCE)
    inside, end, _ = rest.partition(_FENCE)
    return inside.removeprefix("json").removeprefix("JSON") if fence and end else ""


def _nullable(schema: Mapping[str, Any]) -> dict[str, Any]:
    if schema.get("enum"):
        return {**schema, "enum": [*schema["enum"], None], "type": [json_type(schema), "null"]}
    return {**schema, "type": [json_type(schema), "null"]}
