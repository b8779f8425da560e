"""Phone numbers to E.164 where the country is known (ADF.md, "Normalised lead")."""

from __future__ import annotations

import re

# Country: calling code, and the trunk prefix that is dialled inside the country only.
_PLANS: dict[str, tuple[str, str]] = {
    "AE": ("971", "0"), "AT": ("43", "0"), "AU": ("61", "0"), "BE": ("32", "0"), "BR": ("55", "0"), "CH": ("41", "0"),
    "CN": ("86", "0"), "CZ": ("420", ""), "DE": ("49", "0"), "DK": ("45", ""), "ES": ("34", ""), "FI": ("358", "0"),
    "FR": ("33", "0"), "GB": ("44", "0"), "IE": ("353", "0"), "IN": ("91", "0"), "IT": ("39", ""), "JP": ("81", "0"),
    "KR": ("82", "0"), "MX": ("52", ""), "NL": ("31", "0"), "NO": ("47", ""), "NZ": ("64", "0"), "PL": ("48", ""),
    "PT": ("351", ""), "SE": ("46", "0"), "ZA": ("27", "0"),
}  # fmt: skip
_NANP = {"US", "CA", "PR"}
_NAMES = {
    "USA": "US", "UNITED STATES": "US", "UNITED STATES OF AMERICA": "US", "CAN": "CA", "CANADA": "CA", "UK": "GB",
    "GREAT BRITAIN": "GB", "UNITED KINGDOM": "GB", "MEX": "MX", "MEXICO": "MX", "MÉXICO": "MX", "GERMANY": "DE",
    "FRANCE": "FR", "AUSTRALIA": "AU", "IRELAND": "IE", "NEW ZEALAND": "NZ", "SPAIN": "ES", "ITALY": "IT",
    "PUERTO RICO": "PR",
}  # fmt: skip
_NANP_NUMBER = re.compile(r"1?([2-9]\d{2}[2-9]\d{6})")
_EXTENSION = re.compile(r"(?:ext\.?|extension|x|#)\s*\d{1,6}\s*$", re.IGNORECASE)
_ABROAD = re.compile(r"^(?:00|011)(?=[1-9])")


def country_code(country: str) -> str:
    """`USA`, `U.S.` and `us` as `US`; what is not known comes back in upper case."""
    name = country.replace(".", "").strip().upper()
    return _NAMES.get(name, name)


def to_e164(number: str, country: str = "") -> str | None:
    """`+15125550143`, or None where the number leaves room for doubt.

    `country` is the address's country as it was written. Without one, a ten-digit number of the North American plan is
    taken as such; with another country it is not.
    """
    text = _EXTENSION.sub("", number.strip()).replace("(0)", "")
    if re.search(r"[A-Za-z]", text):
        return None
    digits = re.sub(r"\D", "", text)
    if text.lstrip(" (").startswith("+"):
        return _international(digits)
    code = country_code(country)
    at_home = _NANP_NUMBER.fullmatch(digits)
    if at_home and (code in _NANP or not code):
        return f"+1{at_home[1]}"
    if abroad := _ABROAD.match(digits):
        return _international(digits[abroad.end() :])
    if code not in _PLANS:
        return None
    calling, trunk = _PLANS[code]
    return _international(calling + (digits.removeprefix(trunk) if trunk else digits))


def _international(digits: str) -> str | None:
    """E.164 allows 15 digits; fewer than 8 are no number one can call from abroad."""
    return f"+{digits}" if 8 <= len(digits) <= 15 and digits[0] != "0" else None
