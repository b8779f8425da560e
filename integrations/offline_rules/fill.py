"""An object of a JSON Schema, filled from a text by the same rules. What is not found is null, else the lowest value.

Numbers named like a score are heuristics on 0 to 100 (see `classify.score`), scaled to the schema's `maximum`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from integrations.offline_rules import cues
from integrations.offline_rules.classify import classify, fallback, score
from integrations.offline_rules.extract import find, find_all, json_type
from integrations.offline_rules.summarize import summarize

MAX_DEPTH = 8
MAX_VALUES = 500  # a schema may refer to itself, in many places at once
_SCORES = ("score", "rating", "confidence", "probability", "likelihood", "priority", "intent", "urgency", "sentiment")
_SUMMARIES = ("summary", "description", "notes", "abstract", "overview", "tldr")
_TITLES = ("title", "subject", "headline", "topic")
_REASONS = ("reason", "rationale", "explanation", "why", "evidence")


def fill(text: str, schema: Mapping[str, Any], about: str = "") -> Any:
    """A value of the schema. `about` is the instruction, which may name the scale that levels and scores are on."""
    return _Filler(text, schema, about).value("", schema, 0)


class _Filler:
    def __init__(self, text: str, root: Mapping[str, Any], about: str) -> None:
        self._text = text
        self._root = root
        self._about = about
        self._left = MAX_VALUES

    def value(self, name: str, schema: Mapping[str, Any] | bool, depth: int) -> Any:
        self._left -= 1
        if self._left < 0 or isinstance(schema, bool):  # True and False are schemas: anything, and nothing.
            return None
        schema, nullable = self._plain(schema)
        if "const" in schema:
            return schema["const"]
        found = self._found(name, schema, depth)
        if found is not None:
            return found
        return None if nullable else self._lowest(schema)

    def _found(self, name: str, schema: Mapping[str, Any], depth: int) -> Any:
        if schema.get("enum"):
            return self._chosen(name, schema["enum"])
        kind = json_type(schema)
        if kind == "object":
            properties = schema.get("properties", {})
            return (
                {}
                if depth >= MAX_DEPTH
                else {key: self.value(key, each, depth + 1) for key, each in properties.items()}
            )
        if kind == "array":
            return self._list(name, schema, depth)
        if kind in ("number", "integer"):
            return self._number(name, schema, kind)
        if kind == "string":
            return self._words(name, schema)
        return find(self._text, name, schema)

    def _chosen(self, name: str, labels: list[Any]) -> Any:
        texts = [str(each) for each in labels]
        choice = classify(self._text, texts, f"{name} {self._about}")
        return labels[texts.index(choice.label)]

    def _number(self, name: str, schema: Mapping[str, Any], kind: str) -> float | int | None:
        lowered = name.lower()
        if not any(word in lowered for word in _SCORES):
            return self._within(schema, find(self._text, name, schema))
        points, reasons = score(self._text, cues.scale_named(name) or cues.scale_named(self._about) or "intent")
        if lowered == "confidence" or "confidence" in lowered:
            points = min(95, 30 + 10 * len(reasons)) if reasons else 0
        top = schema.get("maximum", 1 if "probability" in lowered or "confidence" in lowered else 100)
        scaled = points / 100 * top
        return self._within(schema, round(scaled) if kind == "integer" else round(scaled, 4))

    def _within(self, schema: Mapping[str, Any], number: float | int | None) -> float | int | None:
        if number is None:
            return None
        low, high = schema.get("minimum"), schema.get("maximum")
        return (
            max(low, number) if low is not None and number < low else min(high, number) if high is not None else number
        )

    def _words(self, name: str, schema: Mapping[str, Any]) -> str | None:
        lowered = name.lower()
        said: str | None
        if any(word in lowered for word in _SUMMARIES):
            said = summarize(self._text, 2)
        elif any(word in lowered for word in _TITLES):
            said = summarize(self._text, 1)
        elif any(word in lowered for word in _REASONS):
            reasons = score(self._text, cues.scale_named(self._about) or "intent")[1]
            said = f"Cue words found: {', '.join(reasons)}." if reasons else None
        else:
            said = find(self._text, name, schema)
        return said[: int(schema["maxLength"])] if said and "maxLength" in schema else said

    def _list(self, name: str, schema: Mapping[str, Any], depth: int) -> list[Any]:
        items, _ = self._plain(_plainly(schema.get("items")))
        if items.get("enum"):
            said = [each for each in items["enum"] if classify(self._text, [str(each), "\0"]).label == str(each)]
            found = [each for each in said if classify(self._text, [str(each)]).confidence]
        elif json_type(items) == "object":
            found = []  # How many there are, and which value belongs to which, cannot be told by rules.
        else:
            found = find_all(self._text, name, items)
        return found[: int(schema["maxItems"])] if "maxItems" in schema else found

    def _lowest(self, schema: Mapping[str, Any]) -> Any:
        if schema.get("enum"):
            return fallback([str(each) for each in schema["enum"]])
        kind = json_type(schema)
        if kind in ("number", "integer"):
            return schema.get("minimum", 0)
        return {"boolean": False, "array": [], "object": {}, "null": None}.get(kind, "")

    def _plain(self, schema: Mapping[str, Any]) -> tuple[Mapping[str, Any], bool]:
        """A schema without `$ref`, `anyOf`, `oneOf` and `allOf`, and whether it takes null."""
        nullable = False
        for _ in range(MAX_DEPTH):
            named = schema.get("type")
            nullable = nullable or named == "null" or (isinstance(named, list) and "null" in named)
            if isinstance(schema.get("$ref"), str):
                schema = self._resolved(schema["$ref"])
            elif schema.get("allOf"):
                rest = {key: value for key, value in schema.items() if key != "allOf"}
                parts = (_plainly(each) for each in (*schema["allOf"], rest))
                schema = {key: value for each in parts for key, value in each.items()}
            elif schema.get("anyOf") or schema.get("oneOf"):
                choices = [_plainly(each) for each in schema.get("anyOf") or schema.get("oneOf") or []]
                nullable = nullable or any(each.get("type") == "null" for each in choices)
                schema = next((each for each in choices if each.get("type") != "null"), {})
            else:
                break
        return schema, nullable

    def _resolved(self, reference: str) -> Mapping[str, Any]:
        """A reference inside this schema; anything else is not followed."""
        place: Any = self._root
        for part in reference.removeprefix("#/").split("/") if reference.startswith("#/") else ():
            place = place.get(part, {}) if isinstance(place, Mapping) else {}
        return place if isinstance(place, Mapping) and place is not self._root else {}


def _plainly(schema: Any) -> Mapping[str, Any]:
    """A schema that is a map; True and False say nothing here."""
    return schema if isinstance(schema, Mapping) else {}
