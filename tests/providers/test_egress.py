"""One look-up, the judged address is the dialled one, and no wait outlasts the deadline."""

from __future__ import annotations

import socket
import threading
import time

import pytest

from engine.ports import Rejected, TimedOut, Unavailable
from integrations.egress import Deadline, Network, connect

PUBLIC = "93.184.215.14"


class Recorder:
    """A network whose look-ups give one answer after the other, and whose dialling is written down."""

    def __init__(self, *answers: list[str], refuse: tuple[str, ...] = ()) -> None:
        self.answers = list(answers)
        self.lookups: list[str] = []
        self.dialled: list[tuple[str, int]] = []
        self.refuse = refuse

    @property
    def network(self) -> Network:
        return Network(lookup=self.lookup, dial=self.dial)

    def lookup(self, host: str, port: int) -> list[str]:
        self.lookups.append(host)
        return self.answers.pop(0)

    def dial(self, address: str, port: int, seconds: float) -> socket.socket:
        self.dialled.append((address, port))
        if address in self.refuse:
            raise ConnectionRefusedError(111, "Connection refused")
        return socket.socket()


def test_name_is_resolved_once_and_exactly_the_judged_address_is_dialled() -> None:
    rebinding = Recorder([PUBLIC], ["127.0.0.1"])
    connect("rebind.example.com", 443, Deadline(2), network=rebinding.network).close()
    assert rebinding.lookups == ["rebind.example.com"]
    assert rebinding.dialled == [(PUBLIC, 443)]


def test_one_inner_address_among_public_ones_refuses_the_name() -> None:
    mixed = Recorder([PUBLIC, "10.0.0.7"])
    with pytest.raises(Rejected, match=r"mixed\.example\.com \(10\.0\.0\.7\) is private"):
        connect("mixed.example.com", 443, Deadline(2), network=mixed.network)
    assert mixed.dialled == []


def test_literal_address_is_not_looked_up() -> None:
    recorder = Recorder()
    connect("93.184.215.14", 443, Deadline(2), network=recorder.network).close()
    assert recorder.lookups == []
    assert recorder.dialled == [(PUBLIC, 443)]


def test_next_address_is_tried_when_one_refuses() -> None:
    recorder = Recorder([PUBLIC, "1.1.1.1", PUBLIC], refuse=(PUBLIC,))
    connect("two.example.com", 80, Deadline(2), network=recorder.network).close()
    assert recorder.dialled == [(PUBLIC, 80), ("1.1.1.1", 80)]


def test_refused_connection_is_unavailable() -> None:
    recorder = Recorder([PUBLIC], refuse=(PUBLIC,))
    with pytest.raises(Unavailable, match="connection refused") as failure:
        connect("down.example.com", 80, Deadline(2), network=recorder.network)
    assert not isinstance(failure.value, TimedOut)


def test_unknown_name_is_unavailable() -> None:
    def lookup(host: str, port: int) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    with pytest.raises(Unavailable, match="cannot be resolved"):
        connect("nowhere.example.com", 80, Deadline(2), network=Network(lookup=lookup))


def test_slow_resolver_does_not_outlast_the_deadline() -> None:
    answered = threading.Event()

    def lookup(host: str, port: int) -> list[str]:
        answered.wait(5)
        return [PUBLIC]

    started = time.monotonic()
    with pytest.raises(TimedOut, match="not resolved in time"):
        connect("slow.example.com", 80, Deadline(0.1), network=Network(lookup=lookup))
    answered.set()
    assert time.monotonic() - started < 1


def test_connect_that_times_out_is_timed_out() -> None:
    def dial(address: str, port: int, seconds: float) -> socket.socket:
        assert seconds <= 0.2
        raise TimeoutError

    with pytest.raises(TimedOut, match="in time"):
        connect("far.example.com", 80, Deadline(0.2), network=Network(lookup=lambda *_: [PUBLIC], dial=dial))


def test_permitted_network_opens_its_names_and_ports(settings) -> None:
    settings.EGRESS_ALLOW = ["10.0.0.0/8"]
    recorder = Recorder(["10.0.0.7"])
    connect("erp.corp", 8069, Deadline(2), network=recorder.network).close()
    assert recorder.dialled == [("10.0.0.7", 8069)]


def test_permitted_network_does_not_open_ports_elsewhere(settings) -> None:
    settings.EGRESS_ALLOW = ["10.0.0.0/8"]
    recorder = Recorder([PUBLIC])
    with pytest.raises(Rejected, match="Port 22 is not open"):
        connect("example.com", 22, Deadline(2), network=recorder.network)
    assert recorder.dialled == []


def test_permitted_name_may_be_private(settings) -> None:
    settings.EGRESS_ALLOW = ["erp.corp.example"]
    recorder = Recorder(["192.168.3.4"])
    connect("erp.corp.example", 9999, Deadline(2), network=recorder.network).close()
    assert recorder.dialled == [("192.168.3.4", 9999)]


def test_localhost_means_the_permitted_loopback_without_asking_a_resolver(settings) -> None:
    settings.EGRESS_ALLOW = ["127.0.0.1"]
    recorder = Recorder()
    connect("localhost", 8080, Deadline(2), network=recorder.network).close()
    assert recorder.lookups == []
    assert recorder.dialled == [("127.0.0.1", 8080)]
