"""Addresses in connections' settings: https, without secrets in them, and past the guard by their form."""

from __future__ import annotations

import ipaddress
from typing import Annotated

from pydantic import AfterValidator

from engine.ports import Rejected
from integrations import egress


def _checked(url: str) -> str:
    try:
        parsed = egress.checked_url(url.strip())
    except Rejected as refusal:
        raise ValueError(refusal.message) from None
    if parsed.query or parsed.fragment:
        raise ValueError("Leave ?query and #fragment out of the address.")
    if parsed.scheme != "https" and not _permitted(parsed.host, parsed.port or 80):
        raise ValueError("The address must begin with https://; a credential would go over an open line.")
    return str(parsed).rstrip("/")


def _permitted(host: str, port: int) -> bool:
    """Whether the operator permits exactly this host, and so knows the way to it."""
    allowed = egress.allow_list()
    try:
        return allowed.has_address(ipaddress.ip_address(host), port)
    except ValueError:
        return allowed.has_name(host, port)


WebAddress = Annotated[str, AfterValidator(_checked)]
"""`https://host/path` without a slash at its end; http:// only to hosts in AUTERITY_EGRESS_ALLOW."""


def joined(base: str, path: str) -> str:
    """An address of the same origin as `base`, which `path` may spell whole or leave out. Raises Rejected for another origin."""
    if not path.lower().startswith(("http://", "https://")):
        path = f"{base}/{path.lstrip('/')}" if path else base
    if origin(path) != origin(base):
        raise Rejected(
            f"This connection reaches {origin(base)} only; its credential goes nowhere else. Give a path, or leave the "
            "connection out."
        )
    return path


def origin(url: str) -> str:
    """`scheme://host:port`. Raises Rejected."""
    parsed = egress.checked_url(url)
    return f"{parsed.scheme}://{parsed.host}:{parsed.port or (443 if parsed.scheme == 'https' else 80)}"
