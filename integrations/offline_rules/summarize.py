"""Extractive summaries: sentences of the text itself, never a word of our own."""

from __future__ import annotations

import math
import re
from collections import Counter

from integrations.offline_rules.words import STOP_WORDS, sentences, stem, words

_COUNT = re.compile(r"\b(one|two|three|four|five|[1-9])[- ](?:short |brief )?sentences?\b", re.IGNORECASE)
_NUMBERS = {"one": 1, "two": 2, "three": 3, "four": 4, "five": 5}


def asked_sentences(instruction: str, default: int = 3) -> int:
    """How many sentences an instruction asks for."""
    match = _COUNT.search(instruction)
    if match is None:
        return default
    said = match[1].lower()
    return _NUMBERS.get(said) or int(said)


def summarize(text: str, count: int = 3, max_words: int | None = None) -> str:
    """The `count` sentences whose words are the most frequent in the text, in their order."""
    every = sentences(text)
    if len(every) > count:
        frequency = Counter(_content(text))
        ranked = sorted(range(len(every)), key=lambda place: (-_weight(every[place], frequency, place), place))
        every = [every[place] for place in sorted(ranked[:count])]
    summary = " ".join(every)
    said = summary.split()
    return summary if max_words is None or len(said) <= max_words else " ".join(said[:max_words]) + " …"


def _weight(sentence: str, frequency: Counter[str], place: int) -> float:
    content = _content(sentence)
    if not content:
        return 0.0
    # Dividing by the root keeps long sentences from always winning; the first sentence usually says what it is about.
    return sum(frequency[each] for each in content) / math.sqrt(len(content)) * (1.2 if place == 0 else 1.0)


def _content(text: str) -> list[str]:
    """Stems that say something; addresses and numbers are not what a text is about."""
    spoken = words(re.sub(r"\S{1,64}@\S+|https?://\S+", " ", text))
    return [
        stem(word) for word in spoken if word not in STOP_WORDS and len(word) > 2 and not any(map(str.isdigit, word))
    ]
