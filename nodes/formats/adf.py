"""ADF 1.0 leads, normalised (ADF.md, "Normalised lead").

A lead: {prospect_id, source, status, requested_at, requested_at_original, interest, vehicle, trade_in, other_vehicles,
customer, timeframe, comments, vendor, provider, raw}. Every key is always there; what is not given is null or [].
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, tzinfo
from typing import Any
from xml.etree.ElementTree import Element, tostring

from nodes.formats.adf_customer import MissingContact, email_addresses, field_text, long_text, phones, read_customer
from nodes.formats.adf_document import AdfDocument, read_documents
from nodes.formats.adf_vehicle import read_vehicle
from nodes.formats.content import Unreadable
from nodes.formats.dates import parse_day, parse_moment, to_utc


@dataclass(frozen=True, slots=True)
class Leads:
    """`problems` says, a sentence each, which prospects of a message were left out and why."""

    items: list[dict[str, Any]]
    problems: list[str]


def parse_adf(content: str | bytes, zone: tzinfo | None = None) -> Leads:
    """Every lead in a content: XML, a whole mail, a posted form. `zone` is taken for dates that name none (else the
    mail's own, else UTC).

    Raises `Unreadable` when there is nothing to read: no ADF, a DTD, over 1 MiB, no prospect with a customer contact.
    """
    items: list[dict[str, Any]] = []
    problems: list[str] = []
    for document, prospect, is_alone in _prospects(read_documents(content)):
        raw = document.text if is_alone else tostring(prospect, encoding="unicode").strip()
        try:
            items.append(_lead(prospect, raw, zone or document.zone or UTC))
        except MissingContact as missing:
            problems.append(f"Prospect {len(items) + len(problems) + 1}{_named(prospect)} {missing}")
    if not items:
        raise Unreadable(" ".join(problems) or "The <adf> element holds no <prospect>: there is no lead in it.")
    return Leads(items, problems)


def _prospects(documents: list[AdfDocument]) -> Iterator[tuple[AdfDocument, Element, bool]]:
    for document in documents:
        found = list(document.root.iter("prospect"))
        yield from ((document, prospect, len(found) == 1) for prospect in found)


def _named(prospect: Element) -> str:
    given = field_text(prospect, "id")
    return f" ({given})" if given else ""


def _lead(prospect: Element, raw: str, zone: tzinfo) -> dict[str, Any]:
    customer = read_customer(prospect)
    vehicles = [read_vehicle(each) for each in prospect.findall("vehicle")]
    wanted = next((each for each in vehicles if each["interest"] != "trade-in"), None)
    traded = next((each for each in vehicles if each["interest"] == "trade-in"), None)
    asked = field_text(prospect, "requestdate")
    moment = parse_moment(asked, zone) if asked else None
    identity = _first_id(prospect)
    provider = _provider(prospect)
    main = wanted or traded
    return {
        "prospect_id": (identity.text or "").strip() or None if identity is not None else None,
        "source": (identity.get("source") if identity is not None else None) or (provider or {}).get("name"),
        "status": (prospect.get("status") or "new").lower(),
        "requested_at": to_utc(moment) if moment else None,
        "requested_at_original": asked,
        "interest": main["interest"] if main else None,
        "vehicle": wanted,
        "trade_in": traded,
        "other_vehicles": [each for each in vehicles if each is not wanted and each is not traded],
        "customer": customer,
        "timeframe": _timeframe(prospect),
        "comments": _comments(prospect),
        "vendor": _vendor(prospect),
        "provider": provider,
        "raw": raw,
    }


def _first_id(prospect: Element) -> Element | None:
    """The id of the lowest `sequence` that has a text."""
    given = [each for each in prospect.findall("id") if (each.text or "").strip()]
    return min(given, key=_sequence, default=None)


def _sequence(identity: Element) -> int:
    """Ids without a number come last, in their order."""
    given = (identity.get("sequence") or "").strip()
    return int(given) if given.isascii() and given.isdigit() and len(given) < 10 else 10**9


def _timeframe(prospect: Element) -> dict[str, Any] | None:
    element = prospect.find("customer/timeframe")
    if element is None:
        element = prospect.find("timeframe")
    if element is None:
        return None
    earliest, latest = field_text(element, "earliestdate"), field_text(element, "latestdate")
    return {
        "description": field_text(element, "description"),
        "earliest": (parse_day(earliest) or earliest) if earliest else None,
        "latest": (parse_day(latest) or latest) if latest else None,
    }


def _comments(prospect: Element) -> str | None:
    """The customer's words, and those that senders put under the prospect or the contact, each once."""
    places = ("customer/comments", "customer/contact/comments", "comments")
    told = [long_text(each) for place in places for each in prospect.findall(place)]
    return "\n\n".join(dict.fromkeys(each for each in told if each)) or None


def _vendor(prospect: Element) -> dict[str, Any] | None:
    element = prospect.find("vendor")
    if element is None:
        return None
    contact = element.find("contact")
    return {
        "id": field_text(element, "id"),
        "name": field_text(element, "vendorname") or field_text(element, "name"),
        "url": field_text(element, "url"),
        "contact": None if contact is None else _organisation_contact(contact),
    }


def _provider(prospect: Element) -> dict[str, Any] | None:
    element = prospect.find("provider")
    if element is None:
        return None
    contact = element.find("contact")
    return {
        "id": field_text(element, "id"),
        "name": field_text(element, "name"),
        "service": field_text(element, "service"),
        "url": field_text(element, "url"),
        "email": next(iter(email_addresses(element)), None),
        "phones": phones(element, ""),
        "contact": None if contact is None else _organisation_contact(contact),
    }


def _organisation_contact(contact: Element) -> dict[str, Any]:
    return {
        "name": field_text(contact, "name"),
        "email": next(iter(email_addresses(contact)), None),
        "phones": phones(contact, field_text(contact, "address/country") or ""),
    }
