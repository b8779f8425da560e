"""Choosing a label and a score by cue words. Deterministic: the same text and labels give the same answer."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from integrations.offline_rules import cues
from integrations.offline_rules.words import STOP_WORDS, Cues, stem, words

BASE = {"intent": 25, "urgency": 20, "sentiment": 50}


@dataclass(frozen=True, slots=True)
class Choice:
    """`confidence` is 0 when nothing in the text spoke for any label, and `label` is then the most neutral one."""

    label: str
    confidence: float
    reasons: tuple[str, ...] = ()


def score(text: str, scale: str) -> tuple[int, tuple[str, ...]]:
    """Points from 0 to 100 on a scale (intent, urgency, sentiment), and the cue phrases that made them.

    It starts at 25, 20 or 50 and every cue found adds its weight; a denied cue takes half its weight away.
    """
    found = Cues(text).said(cues.SCALES[scale])
    points = BASE[scale] + sum(found.values())
    reasons = sorted(found, key=lambda phrase: (-abs(found[phrase]), phrase))
    return round(max(0.0, min(100.0, points))), tuple(reasons[:6])


def classify(text: str, labels: Sequence[str], about: str = "") -> Choice:
    """The label that fits best. `about` (a field's name or the instruction) chooses the scale for high/medium/low."""
    if not labels:
        return Choice("", 0.0)
    plain = {label: " ".join(words(label.replace("_", " ").replace("-", " "))) for label in labels}
    levels = {label: cues.LEVELS[name] for label, name in plain.items() if name in cues.LEVELS}
    if len(levels) >= 2 and len(levels) >= len(labels) - 1:
        return _by_level(text, labels, levels, plain, about)
    return _by_topic(text, labels, plain)


def fallback(labels: Sequence[str]) -> str:
    """The most neutral of the labels; the first when none is neutral."""
    lowered = {label.lower(): label for label in reversed(labels)}
    return next((lowered[name] for name in cues.FALLBACKS if name in lowered), labels[0])


def _by_level(text: str, labels: Sequence[str], levels: dict[str, int], plain: dict[str, str], about: str) -> Choice:
    if any(plain[label] in cues.SENTIMENT_LEVELS - {"neutral", "mixed"} for label in levels):
        scale = "sentiment"
    elif "urgent" in plain.values():
        scale = "urgency"
    else:
        scale = cues.scale_named(about) or "intent"
    points, reasons = score(text, scale)
    if not reasons:
        nearest = min(levels, key=lambda label: (abs(levels[label] - BASE[scale]), labels.index(label)))
        return Choice(nearest, 0.0)
    nearest = min(levels, key=lambda label: (abs(levels[label] - points), labels.index(label)))
    distances = sorted(abs(each - points) for each in levels.values())
    margin = (distances[1] - distances[0]) / 100
    return Choice(nearest, round(min(0.95, 0.5 + margin), 2), reasons)


def _by_topic(text: str, labels: Sequence[str], plain: dict[str, str]) -> Choice:
    said = Cues(text)
    points: dict[str, float] = {}
    reasons: dict[str, list[str]] = {}
    for label in labels:
        own = {word: 2.0 for word in plain[label].split() if word not in STOP_WORDS} | {plain[label]: 3.0}
        found = said.said(dict.fromkeys(_topic_cues(plain[label]), 1.0) | own)
        points[label] = sum(found.values()) + (0.5 if _is_question(label) and "?" in text else 0)
        reasons[label] = sorted(found, key=lambda phrase: (-found[phrase], phrase))
    best = max(labels, key=lambda label: (points[label], -labels.index(label)))
    if points[best] <= 0:
        return Choice(fallback(labels), 0.0)
    total = sum(each for each in points.values() if each > 0)
    return Choice(best, round(min(0.95, points[best] / (total + 1)), 2), tuple(reasons[best][:6]))


def _topic_cues(label: str) -> tuple[str, ...]:
    own = {stem(word) for word in label.split()}
    if label.startswith("not "):
        own = {"uninterest"} if "interest" in own else set()
    lists = (phrases for names, phrases in cues.TOPICS.items() if own & {stem(name) for name in names})
    return tuple(dict.fromkeys(phrase for phrases in lists for phrase in phrases))


def _is_question(label: str) -> bool:
    return re.search(r"question|inquir|enquir", label.lower()) is not None
