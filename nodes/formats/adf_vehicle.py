"""The vehicle of an ADF prospect (ADF.md, `vehicle`)."""

from __future__ import annotations

import re
from typing import Any
from xml.etree.ElementTree import Element

from nodes.formats.adf_customer import field_text, long_text
from nodes.formats.vin import clean_vin, is_valid_vin

_YEAR = re.compile(r"(?<!\d)(?:19|20)\d\d(?!\d)")
_NUMBER = re.compile(r"-?\d{1,3}(?:[,\s']\d{3})+(?:\.\d+)?|-?\d{1,15}(?:\.\d+)?")
_SYMBOLS = {"€": "EUR", "£": "GBP", "US$": "USD", "CA$": "CAD", "C$": "CAD"}


def read_vehicle(element: Element) -> dict[str, Any]:
    """Every key is always there. `vin_valid` is the check digit's verdict, false where there is no VIN."""
    vin = clean_vin(field_text(element, "vin") or "")
    comments = [long_text(each) for each in (*element.findall("comments"), *element.findall("pricecomments"))]
    return {
        "interest": _interest(element),
        "status": (element.get("status") or "").strip().lower() or None,
        "vin": vin or None,
        "vin_valid": is_valid_vin(vin),
        "year": _year(field_text(element, "year") or ""),
        "make": field_text(element, "make"),
        "model": field_text(element, "model"),
        "trim": field_text(element, "trim"),
        "stock": field_text(element, "stock"),
        "price": read_price(element.find("price")),
        "body_style": field_text(element, "bodystyle"),
        "doors": field_text(element, "doors"),
        "transmission": field_text(element, "transmission"),
        "odometer": _odometer(element.find("odometer")),
        "condition": field_text(element, "condition"),
        "colors": [_color(each) for each in element.findall("colorcombination")],
        "options": [_option(each) for each in element.findall("option")],
        "finance": _finance(element.find("finance")),
        "comments": "\n\n".join(each for each in comments if each) or None,
    }


def read_price(element: Element | None) -> dict[str, Any] | None:
    """{amount, currency, type}; `amount` is null where the text is no number ("call us"); None without any of them."""
    if element is None:
        return None
    text = " ".join("".join(element.itertext()).split())
    currency = (element.get("currency") or "").strip().upper() or None
    if currency is None:
        currency = next((code for symbol, code in _SYMBOLS.items() if symbol in text), None)
    kind = (element.get("type") or "").strip().lower() or None
    return {"amount": _number(text), "currency": currency, "type": kind} if text else None


def _interest(element: Element) -> str:
    """`buy` where none is given, as the DTD has it."""
    given = re.sub(r"[\s_-]", "", element.get("interest") or "").lower()
    return {"tradein": "trade-in", "testdrive": "test-drive"}.get(given, given) or "buy"


def _year(text: str) -> int | None:
    match = _YEAR.search(text)
    return int(match[0]) if match else None


def _number(text: str) -> int | float | None:
    """`$36,450.00` as 36450."""
    match = _NUMBER.search(text)
    if match is None:
        return None
    value = float(re.sub(r"[,\s']", "", match[0]))
    return int(value) if value.is_integer() else value


def _odometer(element: Element | None) -> dict[str, Any] | None:
    if element is None:
        return None
    text = "".join(element.itertext())
    units = (element.get("units") or "").strip().lower() or None
    status = (element.get("status") or "").strip().lower() or None
    return {"value": _number(text), "units": units, "status": status} if text.strip() else None


def _color(element: Element) -> dict[str, str | None]:
    return {
        "exterior": field_text(element, "exteriorcolor"),
        "interior": field_text(element, "interiorcolor"),
        "preference": field_text(element, "preference"),
    }


def _option(element: Element) -> dict[str, Any]:
    return {
        "name": field_text(element, "optionname"),
        "code": field_text(element, "manufacturercode"),
        "stock": field_text(element, "stock"),
        "weighting": field_text(element, "weighting"),
        "price": read_price(element.find("price")),
    }


def _finance(element: Element | None) -> dict[str, Any] | None:
    if element is None:
        return None
    return {
        "method": field_text(element, "method"),
        "amounts": [
            {**price, "limit": (each.get("limit") or "").lower() or None}
            for each in element.findall("amount")
            if (price := read_price(each)) is not None
        ],
        "balance": read_price(element.find("balance")),
    }
