"""The embedded default for AI steps: fixed rules instead of a model, always labelled so, free, the same every time."""

from __future__ import annotations

import json
import time
from typing import Any

from pydantic import BaseModel

from engine.ports import Completion, Prompt, Usage
from integrations.offline_rules.classify import classify
from integrations.offline_rules.extract import extract
from integrations.offline_rules.fill import fill
from integrations.offline_rules.pictures import measure
from integrations.offline_rules.summarize import asked_sentences, summarize
from integrations.offline_rules.words import instruction, material, words
from integrations.registry import provider

MODEL = "offline-rules-1"
MOST_READ = 50_000  # characters of a text; rules that look at every word take their time in this process
NO_MODEL = "No AI model is configured, so this is an extract of the text and not a written answer:"


class Config(BaseModel):
    """Nothing to configure."""


@provider("llm", "offline", title="Offline rules", config=Config)
class OfflineRules:
    """`LlmPort` by rules. It picks, finds and quotes; it never writes a sentence of its own about the text."""

    def __init__(self, config: Config) -> None:
        del config

    def complete(self, prompt: Prompt, *, timeout: float) -> Completion:
        """Never fails. Tokens are counted as words. Of a long text the beginning is read."""
        started = time.perf_counter()
        if prompt.images:
            return self._measured(prompt, started)
        read = prompt.text[:MOST_READ]
        about = f"{prompt.system[:MOST_READ]} {instruction(read)}".strip()
        data = self._data(prompt, material(read), about)
        text = self._text(prompt, material(read), about, data)
        usage = Usage(
            provider="offline",
            model=MODEL,
            prompt_tokens=len(words(f"{prompt.system} {prompt.text}")),
            completion_tokens=len(words(text)),
            duration_ms=(time.perf_counter() - started) * 1000,
        )
        return Completion(text=text, data=data, usage=usage)

    def _measured(self, prompt: Prompt, started: float) -> Completion:
        """About a picture: only what can be measured, and that it is no more than that."""
        found = measure(prompt.images[0])
        data = found.data(prompt.schema) if prompt.schema else None
        duration_ms = (time.perf_counter() - started) * 1000
        usage = Usage(
            "offline",
            MODEL,
            len(words(f"{prompt.system} {prompt.text}")),
            len(words(found.sentence())),
            0.0,
            duration_ms,
        )
        return Completion(text=found.sentence(), data=data, usage=usage)

    def _data(self, prompt: Prompt, text: str, about: str) -> Any:
        if prompt.schema:
            return fill(text, prompt.schema, about)
        if prompt.labels:
            choice = classify(text, prompt.labels, about)
            return {"label": choice.label, "confidence": choice.confidence}
        return extract(text, prompt.fields) if prompt.fields else None

    def _text(self, prompt: Prompt, text: str, about: str, data: Any) -> str:
        if data is not None:
            return data["label"] if prompt.labels and not prompt.schema else json.dumps(data, ensure_ascii=False)
        summary = summarize(text, asked_sentences(about), prompt.max_tokens)
        return summary if prompt.task == "summarize" else f"{NO_MODEL} {summary}".strip()
