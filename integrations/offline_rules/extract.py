"""Finding a field's value in a text by its name and type. What is not written there is None, never a guess."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any

from integrations.offline_rules.classify import classify
from integrations.offline_rules.words import Cues, sentences, stem, words

_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|"
    r"nov(?:ember)?|dec(?:ember)?)"
)
_DAY = r"(?:mon|tues|wednes|thurs|fri|satur|sun)day"
_MAKES = (
    r"acura|alfa romeo|audi|bmw|buick|cadillac|chevrolet|chevy|chrysler|citro[eë]n|"
    r"dacia|dodge|fiat|ford|genesis|gmc|honda|"
    r"hyundai|infiniti|jaguar|jeep|kia|land rover|lexus|lincoln|mazda|mercedes(?:-benz)?|mini|mitsubishi|nissan|"
    r"opel|peugeot|polestar|porsche|ram|renault|rivian|seat|[sš]koda|subaru|suzuki|tesla|toyota|volkswagen|volvo|vw"
)
_NAME = r"([A-Z][\w'’-]+(?: (?:[A-Z]\.|[a-z]{2,3}(?= [A-Z])|[A-Z][\w'’-]+)){0,3})"

EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+")
URL = re.compile(r"https?://[^\s<>\"')\]]+[^\s<>\"')\].,;:!?]")
PHONE = re.compile(r"(?<![\w.])\+?\(?\d{1,4}\)?(?:[ .\-/]?\(?\d{2,4}\)?){2,4}(?![\w])")
VIN = re.compile(r"\b[A-HJ-NPR-Z0-9]{17}\b")
MONEY = re.compile(
    r"(?:[$€£]|\b(?:usd|eur|gbp)\s?)\s?(\d[\d,.]{0,20}\d|\d)\s?(k\b|m\b|thousand\b|million\b)?|"
    r"\b(\d[\d,.]{0,20}\d|\d)\s?(k\b|thousand\b|million\b)?\s?(?:dollars|euros?|pounds|usd|eur|gbp|[€$£])",
    re.IGNORECASE,
)
YEAR = re.compile(r"\b(?:19[5-9]\d|20[0-4]\d)\b")
TIME = re.compile(
    r"\b(?:[01]?\d|2[0-3]):[0-5]\d(?:\s?[ap]\.?m\b\.?)?|\b(?:1[0-2]|0?[1-9])\s?[ap]\.?m\b\.?|\bnoon\b", re.IGNORECASE
)
DATE = re.compile(
    rf"\b\d{{4}}-\d{{2}}-\d{{2}}\b|\b{_MONTH}\.? \d{{1,2}}(?:st|nd|rd|th)?(?:,? \d{{4}})?\b|"
    rf"\b\d{{1,2}}(?:st|nd|rd|th)?\.? (?:of )?{_MONTH}(?:,? \d{{4}})?\b|\b\d{{1,2}}[/.]\d{{1,2}}[/.]\d{{2,4}}\b|"
    rf"\b(?:next |this |on )?{_DAY}\b|\btoday\b|\btomorrow\b|\btonight\b|\b(?:this|next) (?:week(?:end)?|month)\b",
    re.IGNORECASE,
)
PERSON = re.compile(
    rf"(?:[Mm]y name is|[Mm]y name's|[Nn]ame:|[Ii] am|[Ii]['’]m|[Tt]his is|[Cc]ustomer:|[Cc]ontact:|[Ff]rom:|"
    rf"(?:[Rr]egards|[Tt]hanks|[Tt]hank you|[Ss]incerely|[Cc]heers|[Bb]est),?[^\S\n]*(?=\n)|"
    rf"[-–—]\s?(?=[A-Z][\w]+\s*\Z))\s*{_NAME}"
)
VEHICLE = re.compile(rf"\b(?:((?:19|20)\d\d) )?((?i:{_MAKES}))\b(?: ([A-Z0-9][\w-]*(?: [A-Z0-9][\w-]*)?))?")
NUMBER = re.compile(r"(?<![\w.,])-?\d+(?:,\d{3})*(?:\.\d+)?(?![\w])")
POSTCODE = re.compile(r"\b\d{5}(?:-\d{4})?\b|\b[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2}\b")
_NOT_NAMES = {
    "interested",
    "looking",
    "ready",
    "calling",
    "writing",
    "the",
    "a",
    "an",
    "not",
    "still",
    "just",
    "very",
    "i",
}


def extract(text: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    """A value or None for every field. A field's value is a JSON Schema, a type's name, or words that describe it."""
    return {name: find(text, name, as_schema(wanted)) for name, wanted in fields.items()}


def as_schema(wanted: Any) -> dict[str, Any]:
    """What a node's `fields` may say about one field, as a JSON Schema."""
    if isinstance(wanted, Mapping):
        return dict(wanted)
    if isinstance(wanted, list):
        return {"type": "string", "enum": wanted}
    said = str(wanted).lower()
    if said in ("string", "number", "integer", "boolean", "array"):
        return {"type": said}
    if said in ("email", "date", "date-time", "time", "phone", "uri"):
        return {"type": "string", "format": said}
    return {"type": "string", "description": str(wanted)}


def find(text: str, name: str, schema: Mapping[str, Any]) -> Any:
    """One value by the field's name, format and type; None when the text does not hold it."""
    kind = json_type(schema)
    if schema.get("enum"):
        choice = classify(text, [str(each) for each in schema["enum"]], f"{name} {schema.get('description', '')}")
        return next((each for each in schema["enum"] if str(each) == choice.label), None) if choice.confidence else None
    if kind == "array":
        items = schema.get("items") if isinstance(schema.get("items"), Mapping) else {}
        return find_all(text, name, items or {}) or None
    if kind == "boolean":
        return _boolean(text, name)
    labelled = _labelled(text, name)
    places = [labelled] if labelled else []
    for place in [*places, text]:
        for value in _candidates(place, name, schema):
            converted = _converted(value, kind)
            if converted is not None:
                return converted
    return _converted(labelled, kind) if labelled else None


def find_all(text: str, name: str, schema: Mapping[str, Any]) -> list[Any]:
    """Every value of an array's field, in the text's order, without repeats."""
    found = (_converted(value, json_type(schema)) for value in _candidates(text, name, schema))
    return list(dict.fromkeys(each for each in found if each is not None))


def json_type(schema: Mapping[str, Any]) -> str:
    """The first type of a schema that is not null; `string` when it names none."""
    named = schema.get("type")
    names = named if isinstance(named, list) else [named] if named else []
    return next((each for each in names if each != "null"), "object" if "properties" in schema else "string")


_Finder = Callable[[str], list[str]]


def _whole(pattern: re.Pattern[str]) -> _Finder:
    return lambda text: [match.group().strip() for match in pattern.finditer(text)]


def _phones(text: str) -> list[str]:
    found = (match.group().strip() for match in PHONE.finditer(DATE.sub(" ", text)))
    return [each for each in found if 7 <= sum(char.isdigit() for char in each) <= 15]


def _money(text: str) -> list[str]:
    return [match.group().strip(" ,.") for match in MONEY.finditer(text)]


def _people(text: str) -> list[str]:
    found = [match[1].strip(" .") for match in PERSON.finditer(text)]
    return [each for each in found if each.split()[0].lower() not in _NOT_NAMES]


def _vehicles(text: str) -> list[str]:
    return [" ".join(part for part in match.groups() if part) for match in VEHICLE.finditer(text)]


def _part_of_vehicle(place: int) -> _Finder:
    return lambda text: [match[place] for match in VEHICLE.finditer(text) if match[place]]


def _years(text: str) -> list[str]:
    return _whole(YEAR)(text)


def _dates(text: str) -> list[str]:
    return [_iso(re.sub(r"(?i)^on ", "", each)) for each in _whole(DATE)(text)]


def _times(text: str) -> list[str]:
    return [each if each.endswith(".m.") else each.rstrip(".") for each in _whole(TIME)(text)]


def _name_part(place: int) -> _Finder:
    return lambda text: [each.split()[place] for each in _people(text) if place == 0 or len(each.split()) > 1]


# By words in the field's name, in this order: `email_date` is an e-mail before it is a date.
_BY_NAME: tuple[tuple[tuple[str, ...], _Finder], ...] = (
    (("email", "e-mail", "mail"), _whole(EMAIL)),
    (("phone", "telephone", "tel", "mobile", "cell", "sms"), _phones),
    (("url", "uri", "link", "website"), _whole(URL)),
    (("vin",), _whole(VIN)),
    (("postcode", "zip", "zipcode"), _whole(POSTCODE)),
    (("price", "amount", "budget", "cost", "total", "payment", "money", "deposit", "salary", "fee", "value"), _money),
    (("make", "brand", "manufacturer"), _part_of_vehicle(2)),
    (("year",), _years),
    (("model",), _part_of_vehicle(3)),
    (("vehicle", "car", "truck", "vehicles", "cars"), _vehicles),
    (("time", "hour"), _times),
    (("date", "day", "when", "appointment", "deadline", "visit", "dates"), _dates),
    (("firstname",), _name_part(0)),
    (("lastname", "surname"), _name_part(-1)),
    (("name", "customer", "contact", "person", "sender", "client", "lead"), _people),
)
_BY_FORMAT: dict[str, _Finder] = {
    "email": _whole(EMAIL), "phone": _phones, "uri": _whole(URL), "date": _dates, "date-time": _dates, "time": _times,
}  # fmt: skip


def _candidates(text: str, name: str, schema: Mapping[str, Any]) -> list[str]:
    if schema.get("format") in _BY_FORMAT:
        return _BY_FORMAT[schema["format"]](text)
    parts = _name_words(name)
    if parts[:2] == ["first", "name"] or parts[:2] == ["last", "name"]:
        parts = ["".join(parts[:2])]
    for source in (parts, words(str(schema.get("description", "")))):
        for hints, finder in _BY_NAME:
            if any(part in hints or stem(part) in hints for part in source):
                return finder(text)
    return _near(text, parts) if json_type(schema) in ("number", "integer") else []


def _name_words(name: str) -> list[str]:
    return re.sub(r"(?<=[a-z])(?=[A-Z])|[_\-.]", " ", name).lower().split()


def _labelled(text: str, name: str) -> str:
    """`Customer name: Ann Lee` and `customer_name = Ann Lee`, up to the end of the line."""
    label = r"[ _-]?".join(re.escape(part) for part in _name_words(name))
    match = re.search(rf"(?im)(?:^|[\s,;(]){label}\s*[:=]\s*([^\n;]+)", text) if label else None
    return match[1].strip(" \t.,'\"") if match else ""


def _near(text: str, parts: list[str]) -> list[str]:
    """Numbers of the sentences that speak of the field."""
    wanted = {stem(part) for part in parts}
    spoken = [each for each in sentences(text) if wanted & {stem(word) for word in words(each)}]
    return [match.group() for each in spoken for match in NUMBER.finditer(each)]


def _boolean(text: str, name: str) -> bool | None:
    labelled = _labelled(text, name).lower()
    if labelled:
        return labelled.split()[0] in ("yes", "true", "y", "1", "on")
    parts = [
        part for part in _name_words(name) if part not in ("is", "has", "wants", "needs", "want", "need", "a", "the")
    ]
    counted = Cues(text).count(" ".join(parts)) if parts else 0
    return None if counted == 0 else counted > 0


def _converted(value: str, kind: str) -> Any:
    """The found text as the field's type; None when it is not one."""
    if kind not in ("number", "integer"):
        return value or None
    match = re.search(r"-?\d[\d,]*(?:\.\d+)?", value)
    if match is None:
        return None
    factor = (
        1_000
        if re.search(r"(?i)\dk\b|\d\s?k\b|thousand", value)
        else 1_000_000
        if re.search(r"(?i)\d\s?m\b|million", value)
        else 1
    )
    number = float(match.group().replace(",", "")) * factor
    if not math.isfinite(number):
        return None
    if kind == "integer":
        return int(number) if number.is_integer() else None
    return int(number) if number.is_integer() else number


def _iso(said: str) -> str:
    """A full date as YYYY-MM-DD; a weekday or a numeric date whose order is uncertain stays as it is written."""
    plain = re.sub(r"(?<=\d)(?:st|nd|rd|th)|,|\bof ", "", said).replace(".", " ").strip()
    plain = re.sub(r"\s+", " ", plain)
    for pattern in ("%Y-%m-%d", "%B %d %Y", "%b %d %Y", "%d %B %Y", "%d %b %Y"):
        try:
            found: date = datetime.strptime(plain.title() if plain[:1].isalpha() else plain, pattern).date()  # noqa: DTZ007  A date has no zone.
        except ValueError:
            continue
        return found.isoformat()
    return said
