"""Words, stems, sentences, and how often a cue phrase is meant (and not denied) in a text. Pure and deterministic."""

from __future__ import annotations

import re
from collections.abc import Mapping

STOP_WORDS = frozenset(
    re.findall(
        r"\S+",
        """
        a about above after again all also am an and any are as at be because been before being but by can could did
        do does doing down during each few for from further had has have having he her here hers him his how i if in
        into is it its itself me more most my no nor not now of off on once only or other our ours out over own same
        just she should so some such than that the their them then there these they this those through to too under
        until up very was we were what when where which while who whom why will with would you your yours i'm i'd
        i'll i've it's that's don't can't please hi hello hey dear thanks thank regards
        """,
    )
)
_DENIALS = frozenset({"not", "no", "never", "without", "cannot", "hardly"})  # Besides every word that ends in n't.
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_SENTENCE_END = re.compile(r"(?<=[.!?…])[\"')\]]*\s+(?=[\"'(\[]?[^\Wa-z])|\n{2,}|\n(?=[^\S\n]*[-*•])")
_ABBREVIATION = re.compile(r"\b(?:mr|mrs|ms|dr|prof|st|vs|etc|e\.g|i\.e|inc|ltd|co|jr|sr)\.$", re.IGNORECASE)
_LONGEST_ABBREVIATION = 8  # with the sign before it
_INSTRUCTION = re.compile(
    r"\s*(?:please\s+|you are [^.\n]*[.\n]\s*)?"
    r"(?:summari[sz]e|classify|categori[sz]e|extract|analy[sz]e|draft|write|score|rate|determine|identify|decide|read|tell|reply|respond|answer|judge|label|find|pull|get|list)\b[^\n]{0,240}?(?::\s|\n|:\Z)",
    re.IGNORECASE,
)


def words(text: str) -> list[str]:
    """Lower-case words with inner apostrophes, the typographic one made plain."""
    return [match.group().lower().replace("’", "'") for match in _WORD.finditer(text)]


def stem(word: str) -> str:
    """A cheap English stem: `repairs`, `repaired` and `repairing` agree; `this` and `is` stay."""
    word = word.removesuffix("'s")
    for ending, put in (("ies", "y"), ("ing", ""), ("edly", ""), ("ed", ""), ("ly", ""), ("es", ""), ("s", "")):
        if word.endswith(ending) and len(word) - len(ending) >= 3 and not word.endswith("ss"):
            word = word[: -len(ending)] + put
            break
    if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "sl":
        word = word[:-1]
    return word.removesuffix("e") if len(word) > 3 else word


def stems(text: str) -> list[str]:
    return [stem(word) for word in words(text)]


def sentences(text: str) -> list[str]:
    """Sentences in order, without surrounding space. An abbreviation does not end one."""
    found: list[list[str]] = []
    for said in _SENTENCE_END.split(text):
        piece = " ".join(said.split())
        if piece and found and _ABBREVIATION.search(found[-1][-1][-_LONGEST_ABBREVIATION:]):
            found[-1].append(piece)
        elif piece:
            found.append([piece])
    return [" ".join(pieces) for pieces in found]


def material(text: str) -> str:
    """The text that an instruction is about: `Summarize this call: …` without its first part."""
    match = _INSTRUCTION.match(text)
    rest = text[match.end() :].strip() if match else ""
    return rest or text.strip()


def instruction(text: str) -> str:
    """The part of the prompt that `material` leaves out."""
    return text.strip().removesuffix(material(text))


class Cues:
    """A text prepared for looking up cue phrases by stem."""

    def __init__(self, text: str) -> None:
        self._words = words(text)
        self._stems = [stem(word) for word in self._words]
        self._places: dict[str, list[int]] = {}
        for place, each in enumerate(self._stems):
            self._places.setdefault(each, []).append(place)

    def count(self, phrase: str) -> int:
        """1 when a phrase is said, -1 when it is only ever denied ("not ready to buy"), else 0."""
        wanted = stems(phrase)
        if not wanted:
            return 0
        denied = False
        for place in self._places.get(wanted[0], ()):
            if self._stems[place : place + len(wanted)] != wanted:
                continue
            if not self._denied(place):
                return 1
            denied = True
        return -1 if denied else 0

    def _denied(self, place: int) -> bool:
        before = self._words[max(0, place - 3) : place]
        return any(word in _DENIALS or word.endswith("n't") for word in before)

    def said(self, weights: Mapping[str, float]) -> dict[str, float]:
        """The cue phrases that occur with the weight each brings; a denied one brings its opposite, halved."""
        found = {}
        for phrase, weight in weights.items():
            count = self.count(phrase)
            if count:
                found[phrase] = weight if count > 0 else -weight / 2
        return found
