"""How often a serving process looks for garbage that only a search can find."""

from __future__ import annotations

import gc

# New objects before a search; searches of the young before the middle-aged, and of those before everything. Python's own (700,
# 10, 10) searches a large workflow dozens of times while it is compiled, which took half of that time.
_EVERY = (10_000, 20, 20)
_WHILE_LOADING = (100_000, 50, 1000)


def begin_loading() -> None:
    """Before any code is loaded: what that makes stays, and looking for garbage in it took a sixth of a start."""
    gc.set_threshold(*_WHILE_LOADING)


def settle_in() -> None:
    """Once all code is loaded: what is there stays, so no search looks at it again, and searches become rare.

    Most garbage never waits for one: it goes with its last reference.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_EVERY)
