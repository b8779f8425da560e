"""What somebody may have meant: the known names nearest to one that is not known. Bounded, whatever the names are."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from itertools import islice
from math import inf

LONGEST = 60  # characters; nobody mistypes a longer name, and comparing takes the square of it
MOST = 200  # names that are compared


class _Patience(threading.local):
    left = inf


_patience = _Patience()


def nearest(name: str, known: Iterable[str], *, count: int = 1, cutoff: float = 0.6, most: int = MOST) -> list[str]:
    """Up to `count` of the first `most` known names of fair length, the nearest first."""
    if len(name) > LONGEST or _patience.left <= 0:
        return []
    _patience.left -= 1
    short = islice((each for each in known if len(each) <= LONGEST), most)
    return get_close_matches(name, list(short), n=count, cutoff=cutoff)


@contextmanager
def at_most(times: int) -> Iterator[None]:
    """Only the first few names of a text full of mistakes are looked for: each takes a look at every known one."""
    before = _patience.left
    _patience.left = allowed = min(before, times)
    try:
        yield
    finally:
        _patience.left = before - (allowed - _patience.left)
