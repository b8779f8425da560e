"""Whether somebody comes from where they may. Asked at each login, at each request and of each API key."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from functools import lru_cache

import orjson

from accounts.errors import AddressNotAllowed


def within(address: str, networks: Sequence[str]) -> bool:
    """Whether an address belongs to one of the networks."""
    try:
        known = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(known, ipaddress.IPv6Address) and known.ipv4_mapped is not None:
        known = known.ipv4_mapped
    return any(known in _parsed(each) for each in networks)


def check(allowed: Sequence[str], address: str) -> None:
    """Raises `AddressNotAllowed` where networks are named and the address is in none; one not known is in none."""
    if allowed and not within(address, allowed):
        raise AddressNotAllowed


def check_stored(policies: str | None, address: str) -> None:
    """The same, of an organization's policies as they stand in the database: most name no networks and are not parsed."""
    if policies is not None and '"allowed_networks"' in policies:
        check(orjson.loads(policies)["allowed_networks"], address)


@lru_cache(maxsize=1024)
def _parsed(network: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    return ipaddress.ip_network(network)
