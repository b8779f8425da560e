"""Whose address a request or a handshake came from."""

from __future__ import annotations

import ipaddress

from django.conf import settings


def forwarded(peer: str, header: str) -> str:
    """The peer's address; behind trusted proxies, the one that the outermost of them saw, by `X-Forwarded-For`."""
    listed = [each.strip() for each in header.split(",") if each.strip()]
    proxies = settings.TRUSTED_PROXIES
    if not proxies or not listed:
        return peer
    seen = listed[-min(proxies, len(listed))]
    if seen.startswith("["):  # [IPv6]:port
        seen = seen[1:].partition("]")[0]
    elif seen.count(":") == 1:  # IPv4:port
        seen = seen.partition(":")[0]
    try:
        return str(ipaddress.ip_address(seen))
    except ValueError:
        return peer
