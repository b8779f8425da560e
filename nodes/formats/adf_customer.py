"""The customer of an ADF prospect: names, ways to reach them, where they live (ADF.md, `contact`)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from xml.etree.ElementTree import Element

from nodes.formats.phones import to_e164

_YES = {"1", "true", "yes", "y"}
_EMAIL = re.compile(r"[^\s@<>,;:\"()]{1,64}@[^\s@<>,;:\"()]{1,255}")
_SEPARATOR = re.compile(r"\s*(?:[/;,|]|\bor\b|\band\b)\s*", re.IGNORECASE)
_PARTS = {"surname": "last", "lastname": "last", "firstname": "first", "middlename": "middle", "": "full"}


class MissingContact(Exception):
    """A prospect without a customer contact. Its text ends a sentence that began with the prospect."""


def field_text(parent: Element, path: str) -> str | None:
    """The text of the first child at `path` that has one, its white space collapsed; else None."""
    for element in parent.findall(path):
        text = " ".join("".join(element.itertext()).split())
        if text:
            return text
    return None


def long_text(element: Element) -> str | None:
    """A comment: line breaks stay, white space around the lines goes."""
    lines = [" ".join(line.split()) for line in "".join(element.itertext()).splitlines()]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip() or None


def read_customer(prospect: Element) -> dict[str, Any]:
    """{id, name, email, emails, phones, address, preferred_contact, preferred_time}. Raises `MissingContact`."""
    contact = _contact(prospect)
    address = _address(contact)
    emails = email_addresses(contact)
    numbers = phones(contact, (address or {}).get("country") or "")
    name = _name(contact)
    if not (any(name.values()) or emails or numbers or address):
        raise MissingContact("has an empty customer <contact>: it names no person, e-mail address, phone or address.")
    preferred = _preferred(contact)
    return {
        "id": field_text(prospect, "customer/id"),
        "name": name,
        "email": emails[0] if emails else None,
        "emails": emails,
        "phones": numbers,
        "address": address,
        "preferred_contact": preferred.tag if preferred is not None else None,
        "preferred_time": _time(contact, preferred),
    }


def email_addresses(parent: Element) -> list[str]:
    """The addresses, the preferred one first, each once. What is no address (`none given`) is left out."""
    elements = sorted(parent.findall("email"), key=lambda each: not _is_preferred(each))
    found = [
        match[0] for each in elements for match in _EMAIL.finditer("".join(each.itertext()).replace("mailto:", ""))
    ]
    return list(dict.fromkeys(found))


def phones(parent: Element, country: str) -> list[dict[str, Any]]:
    """{number, e164, type, time} of each number; two written into one element are told apart."""
    return [
        {
            "number": number,
            "e164": to_e164(number, country),
            "type": _attribute(each, "type"),
            "time": _attribute(each, "time"),
        }
        for each in parent.findall("phone")
        for number in _numbers("".join(each.itertext()))
    ]


def _contact(prospect: Element) -> Element:
    for path in ("customer/contact", "contact"):
        for contact in prospect.findall(path):
            return contact
    customer = prospect.find("customer")
    if customer is None:
        raise MissingContact("has no customer contact: the <customer> element is missing.")
    if any(customer.find(name) is not None for name in ("name", "email", "phone")):
        return customer
    raise MissingContact("has no customer contact: the <contact> element inside <customer> is missing.")


def _name(contact: Element) -> dict[str, str | None]:
    """{full, first, middle, last}; `full` is put together where only parts are given."""
    name: dict[str, str | None] = dict.fromkeys(("full", "first", "middle", "last"))
    for element in contact.findall("name"):
        text = " ".join("".join(element.itertext()).split())
        part = (element.get("part") or "").strip().lower()
        part = _PARTS.get(part, part)
        if text and part in name and not name[part]:
            name[part] = text
    name["full"] = name["full"] or " ".join(filter(None, (name["first"], name["middle"], name["last"]))) or None
    return name


def _address(contact: Element) -> dict[str, str | None] | None:
    element = contact.find("address")
    if element is None:
        return None
    lines = [text for each in element.findall("street") if (text := " ".join("".join(each.itertext()).split()))]
    address = {
        "street": ", ".join(lines) or None,
        "apartment": field_text(element, "apartment"),
        "city": field_text(element, "city"),
        "region": field_text(element, "regioncode") or field_text(element, "region"),
        "postal_code": field_text(element, "postalcode"),
        "country": field_text(element, "country"),
    }
    return {"type": _attribute(element, "type"), **address} if any(address.values()) else None


def _preferred(contact: Element) -> Element | None:
    ways: Iterator[Element] = (each for each in contact if each.tag in ("email", "phone"))
    return next((each for each in ways if _is_preferred(each) and "".join(each.itertext()).strip()), None)


def _time(contact: Element, preferred: Element | None) -> str | None:
    """When to call: the preferred way's time, else the first one given."""
    given = [preferred] if preferred is not None else []
    times = (_attribute(each, "time") for each in [*given, *contact.findall("phone")])
    return next((time for time in times if time and time != "nopreference"), None)


def _is_preferred(element: Element) -> bool:
    return (element.get("preferredcontact") or "").strip().lower() in _YES


def _attribute(element: Element, name: str) -> str | None:
    return (element.get(name) or "").strip().lower() or None


def _numbers(text: str) -> list[str]:
    """`512/555-0178` is one number; `512-555-0178 or 512-555-0199` is two."""
    text = " ".join(text.split())
    parts = [part for part in _SEPARATOR.split(text) if part]
    if len(parts) > 1 and all(sum(sign.isdigit() for sign in part) >= 10 for part in parts):
        return parts
    return [text] if any(sign.isdigit() for sign in text) else []
