"""Which IP addresses belong to the public internet. Pure, and our own list: `ipaddress.is_global` misses several.

Sources: the IANA special-purpose registries for IPv4 and IPv6, and addresses that clouds keep for their own machinery.
"""

from __future__ import annotations

import ipaddress

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_V4 = {
    ipaddress.IPv4Network(network): why
    for network, why in {
        "0.0.0.0/8": "means this machine",
        "10.0.0.0/8": "is private",
        "100.64.0.0/10": "is a carrier's inner network",
        "127.0.0.0/8": "is loopback",
        "168.63.129.16/32": "is a cloud's inner service",
        "169.254.0.0/16": "is link-local, where clouds keep their metadata",
        "172.16.0.0/12": "is private",
        "192.0.0.0/24": "is set aside for protocols",
        "192.0.2.0/24": "is for documentation",
        "192.88.99.0/24": "is a tunnel relay",
        "192.168.0.0/16": "is private",
        "198.18.0.0/15": "is for benchmarks",
        "198.51.100.0/24": "is for documentation",
        "203.0.113.0/24": "is for documentation",
        "224.0.0.0/4": "is multicast",
        "240.0.0.0/4": "is reserved",
    }.items()
}

# Only 2000::/3 is given out to the public; within it, these are not. Everything outside it is refused without a list.
_V6_PUBLIC = ipaddress.IPv6Network("2000::/3")
_V6_WITHIN = {
    ipaddress.IPv6Network(network): why
    for network, why in {
        "2001::/32": "is a Teredo tunnel",
        "2001::/23": "is set aside for protocols",
        "2001:db8::/32": "is for documentation",
        "2002::/16": "is a 6to4 tunnel",
        "3ffe::/16": "is no longer given out",
        "3fff::/20": "is for documentation",
    }.items()
}
_V6_NAMED = {
    ipaddress.IPv6Network(network): why
    for network, why in {
        "::/128": "means this machine",
        "::1/128": "is loopback",
        "::/96": "is an IPv4 address in a form no longer used",
        "fc00::/7": "is private",
        "fe80::/10": "is link-local",
        "fec0::/10": "is site-local",
        "ff00::/8": "is multicast",
    }.items()
}
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_ISATAP = (0x0000_5EFE, 0x0200_5EFE)


def why_not_public(address: Address) -> str | None:
    """Why an address must not be reached from here, as the end of a sentence; None when it is public."""
    if isinstance(address, ipaddress.IPv4Address):
        return next((why for network, why in _V4.items() if address in network), None)
    return _why_not_public_v6(address)


def _why_not_public_v6(address: ipaddress.IPv6Address) -> str | None:
    if address.scope_id:
        return "belongs to one network card"
    inner = embedded_v4(address)
    if inner is not None:
        why = why_not_public(inner)
        return f"stands for {inner}, which {why}" if why else None
    # A tunnel's far end is chosen by the sender, so the forms that carry one are refused whatever is inside.
    if int(address) >> 32 & 0xFFFF_FFFF in _ISATAP:
        return "is an ISATAP tunnel"
    table = _V6_WITHIN if address in _V6_PUBLIC else _V6_NAMED
    why = next((why for network, why in table.items() if address in network), None)
    return why or (None if address in _V6_PUBLIC else "is not given out to the public")


def embedded_v4(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that a connection to this one ends at: IPv4-mapped, or NAT64 of an IPv6-only network."""
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return None
