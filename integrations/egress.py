"""The guard on the way out: which URLs and hosts may be reached, and the only place that opens an outgoing socket.

A name is resolved once, every address of the answer is judged, and the socket is opened to exactly a judged address.
Nothing resolves again, so an answer that changes in between (DNS rebinding) changes nothing.
"""

from __future__ import annotations

import ipaddress
import queue
import re
import socket
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import httpx2
from django.conf import settings

from engine.ports import PortFailure, Rejected, TimedOut, Unavailable
from integrations.addresses import Address, why_not_public

WEB_PORTS = frozenset({80, 443})
CONNECT_SECONDS = 5.0
SETTING = "AUTERITY_EGRESS_ALLOW"

_NAME = re.compile(r"(?=.{1,253}\Z)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*\Z")
_ENDS_IN_NUMBER = re.compile(r"(^|\.)([0-9]+|0x[0-9a-f]*)\.?\Z")
_LOCAL_SUFFIXES = (".localhost", ".local", ".localdomain", ".internal", ".intranet", ".lan", ".home.arpa")
_LOCALHOST = (ipaddress.ip_address("127.0.0.1"), ipaddress.ip_address("::1"))


class Deadline:
    """A moment on the monotonic clock that all steps of one call share."""

    __slots__ = ("_at",)

    def __init__(self, seconds: float) -> None:
        self._at = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds until the moment; negative once it has passed."""
        return self._at - time.monotonic()


@dataclass(frozen=True, slots=True)
class AllowList:
    """What the operator permits although it is not public. A port of None permits every port."""

    names: frozenset[tuple[str, int | None]]
    networks: tuple[tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, int | None], ...]

    @classmethod
    def parse(cls, entries: Sequence[str]) -> AllowList:
        """From `host`, `host:port`, an address, `address:port`, `[v6]:port` or a CIDR. Raises ValueError."""
        names, networks = set(), []
        for entry in (each.strip().lower() for each in entries):
            host, port = _split_port(entry)
            try:
                networks.append((ipaddress.ip_network(host, strict=False), port))
            except ValueError:
                if not _NAME.match(host) or _ENDS_IN_NUMBER.search(host):
                    raise ValueError(f"'{entry}' is not a host, host:port, address or network.") from None
                names.add((host, port))
        return cls(frozenset(names), tuple(networks))

    def has_name(self, host: str, port: int) -> bool:
        return (host, None) in self.names or (host, port) in self.names

    def has_address(self, address: Address, port: int) -> bool:
        return any(address in network and allowed in (None, port) for network, allowed in self.networks)


def _split_port(entry: str) -> tuple[str, int | None]:
    bracketed = re.fullmatch(r"\[([^\]]+)\](?::(\d+))?", entry)
    plain = re.fullmatch(r"([^:]+):(\d+)", entry)
    match = bracketed or plain
    if match is None:
        return entry, None
    return match[1], int(match[2]) if match[2] else None


@lru_cache(maxsize=16)
def _parsed(entries: tuple[str, ...]) -> AllowList:
    return AllowList.parse(entries)


def allow_list() -> AllowList:
    """The setting EGRESS_ALLOW, parsed once a value."""
    return _parsed(tuple(settings.EGRESS_ALLOW))


def system_lookup(host: str, port: int) -> list[str]:
    """Every address the system's resolver knows for a name. Raises OSError."""
    return [str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


def system_dial(address: str, port: int, seconds: float) -> socket.socket:
    """A TCP connection to a literal address. Raises OSError."""
    return socket.create_connection((address, port), seconds)


@dataclass(frozen=True, slots=True)
class Network:
    """The two things the guard asks of the operating system. Tests bring their own."""

    lookup: Callable[[str, int], list[str]] = system_lookup
    dial: Callable[[str, int, float], socket.socket] = system_dial


SYSTEM = Network()


def check_url(url: str) -> None:
    """Refuse a URL by what can be seen without asking the network. Raises Rejected."""
    checked_url(url)


def checked_url(url: str | httpx2.URL) -> httpx2.URL:
    """Parse once and check; the parsed URL is the one that is sent. Raises Rejected."""
    try:
        parsed = httpx2.URL(url)
    except (httpx2.InvalidURL, ValueError, TypeError):
        raise _refusal("syntax", "The URL cannot be parsed.") from None
    if parsed.scheme not in ("http", "https"):
        raise _refusal("scheme", "The URL must start with http:// or https://.")
    if parsed.userinfo:
        raise _refusal("userinfo", "The URL must not hold a user name or password; send them in a header.")
    standard = 443 if parsed.scheme == "https" else 80
    check_host(parsed.raw_host.decode("ascii"), standard if parsed.port is None else parsed.port)
    return parsed


def check_host(host: str, port: int, ports: frozenset[int] = WEB_PORTS) -> None:
    """Refuse a host and port by their form alone; `connect` judges the addresses. Raises Rejected."""
    allowed = allow_list()
    literal = _literal(host)
    if literal is not None:
        if not allowed.has_address(literal, port):
            _check_address(host, literal)
            _check_port(port, ports)
    elif not allowed.has_name(host, port) and not allowed.networks:
        _check_name(host)
        _check_port(port, ports)


def resolve(
    host: str, port: int, deadline: Deadline, *, ports: frozenset[int] = WEB_PORTS, network: Network = SYSTEM
) -> list[Address]:
    """The addresses that may be dialled for a host, after one look-up. Raises Rejected, Unavailable or TimedOut."""
    check_host(host, port, ports)
    allowed = allow_list()
    literal = _literal(host)
    if literal is not None:
        return [literal]
    named = allowed.has_name(host, port)
    if host == "localhost" and not named:
        # A resolver may answer with both families; the operator often permits one. The name never leaves this machine.
        permitted = [each for each in _LOCALHOST if allowed.has_address(each, port)]
        if not permitted:
            _check_name(host)
        return permitted
    addresses = _addresses(host, port, deadline, network)
    if not named:
        strangers = [each for each in addresses if not allowed.has_address(each, port)]
        for each in strangers:
            _check_address(host, each)
        if strangers:
            _check_port(port, ports)
    return addresses


def connect(
    host: str,
    port: int,
    deadline: Deadline,
    *,
    ports: frozenset[int] = WEB_PORTS,
    network: Network = SYSTEM,
) -> socket.socket:
    """A TCP connection to one of the host's judged addresses. Raises Rejected, Unavailable or TimedOut."""
    addresses = resolve(host, port, deadline, ports=ports, network=network)
    limit = Deadline(min(CONNECT_SECONDS, deadline.left()))
    failure: PortFailure = TimedOut(f"No connection to {host}:{port} in time.")
    for tried, address in enumerate(addresses):
        seconds = limit.left() / (len(addresses) - tried)
        if seconds <= 0:
            break
        try:
            return network.dial(str(address), port, seconds)
        except TimeoutError:
            failure = TimedOut(f"No connection to {host}:{port} in time.")
        except OSError as error:
            failure = Unavailable(f"No connection to {host}:{port}: {(error.strerror or 'failed').lower()}.")
    raise failure


def _addresses(host: str, port: int, deadline: Deadline, network: Network) -> list[Address]:
    """One look-up, bounded by the deadline; the system's resolver itself cannot be hurried."""
    answers: queue.SimpleQueue[list[str] | Exception] = queue.SimpleQueue()

    def ask() -> None:
        try:
            answers.put(network.lookup(host, port))
        except (OSError, UnicodeError) as error:
            answers.put(error)

    threading.Thread(target=ask, name="egress-lookup", daemon=True).start()
    try:
        answer = answers.get(timeout=max(0.001, min(CONNECT_SECONDS, deadline.left())))
    except queue.Empty:
        raise TimedOut(f"The name {host} was not resolved in time.") from None
    if isinstance(answer, Exception) or not answer:
        raise Unavailable(f"The name {host} cannot be resolved.")
    return [ipaddress.ip_address(each) for each in dict.fromkeys(answer)]


def _literal(host: str) -> Address | None:
    """The address a host spells, None for a name. Raises Rejected for spellings that parsers read differently."""
    if ":" in host or _ENDS_IN_NUMBER.search(host):
        try:
            return ipaddress.ip_address(host)
        except ValueError:
            raise _refusal("form", f"The host {host[:80]!r} is an address in an unusual form.") from None
    if not _NAME.match(host):
        raise _refusal("form", f"The host {host[:80]!r} is not a host name." if host else "The URL names no host.")
    return None


def _check_address(host: str, address: Address) -> None:
    why = why_not_public(address)
    if why is not None:
        spelled = f"{address}" if str(address) == host else f"{host} ({address})"
        raise _refusal("address", f"{spelled} {why} and must not be reached from here.", permit=True)


def _check_port(port: int, ports: frozenset[int]) -> None:
    if port not in ports:
        listed = ", ".join(str(each) for each in sorted(ports))
        raise _refusal("port", f"Port {port} is not open to outgoing calls; {listed} are.", permit=True)


def _check_name(host: str) -> None:
    if "." not in host or host.endswith(_LOCAL_SUFFIXES):
        raise _refusal(
            "name", f"The name {host} belongs to a local network and must not be reached from here.", permit=True
        )


def _refusal(rule: str, sentence: str, *, permit: bool = False) -> Rejected:
    hint = f" The operator can permit it in {SETTING}." if permit else f" ({SETTING} does not change this.)"
    return Rejected(sentence + hint, rule=f"egress.{rule}")
