"""Acts that a process performs now and then: each goes on whatever happens to another, and some are one process' at a time."""

from __future__ import annotations

import threading

import pytest
from django.core.cache import cache

from auterity.kernel import ticks
from auterity.kernel.ticks import Ticks


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ticks, "_LOOK_SECONDS", 0.01)
    cache.clear()


def test_acts_go_on_when_one_fails_and_end_with_what_is_done_at_the_end() -> None:
    found, thrice = [], threading.Event()

    def note() -> None:
        found.append("note")
        if found.count("note") == 3:
            thrice.set()

    process = Ticks()
    process.add("fails", lambda: 1 / 0, seconds=0.01, shared=False)
    process.add("note", note, seconds=0.01, shared=False)
    process.add("last", lambda: found.append("last"), seconds=3600, shared=False, finally_too=True)
    process.start()
    process.start()
    assert thrice.wait(10)
    process.stop()
    assert found.count("last") == 2
    assert found[-1] == "last"
    assert process._thread is None


def test_a_shared_act_is_done_by_one_process_at_a_time() -> None:
    done: list[int] = []
    third = threading.Event()
    processes = [Ticks(), Ticks()]
    for number, process in enumerate(processes):
        process.add("shared", lambda number=number: done.append(number), seconds=60)
        process.add("own", third.set, seconds=0.01, shared=False)
        process.start()
    assert third.wait(10)
    for process in processes:
        process.stop()
    assert len(done) == 1


def test_two_acts_of_one_name_are_refused() -> None:
    process = Ticks()
    process.add("x", print, seconds=1)
    process.add("x", print, seconds=2)
    with pytest.raises(ValueError, match="x"):
        process.add("x", repr, seconds=1)
