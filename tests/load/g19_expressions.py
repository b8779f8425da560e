"""G19: more than two hundred expressions that mean harm, at eight places of nodes that take one. Each ends in an error, does
nothing that Python's audit events would show, shows nothing that it was not given, and stays within its time and memory; and
more than a hundred and fifty valid ones have their exact values. `python -m tests.load.g19_expressions [--short]`
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from engine.sandbox import WALL_SECONDS
from tests.load.gates import Figures, percentile
from tests.load.processes import memory
from tests.load.servers import stand_alone

MOST_SECONDS = 0.2  # of processor time, so that the machine's other work does not count
TICK = 1 / os.sysconf("SC_CLK_TCK")
MOST_BYTES = 64 << 20
SHOWN = ("s3cret", "environment-marker-5521", "<class ", "object at 0x", "builtin_function")
# Of the interpreter's own making, whatever is evaluated.
QUIET = {"builtins.id", "object.__getattr__", "object.__setattr__", "sys._getframe", "gc.get_objects"}
Place = Callable[[str, Any], Any]  # an expression and a step; what comes of it

_watching = threading.local()
_seen: list[str] = []


def measure(short: bool) -> Figures:
    from engine.expressions import Scope
    from tests.engine.hostile_expressions import DATA, FAILING
    from tests.engine.refused_expressions import REFUSED
    from tests.engine.valid_expressions import SCOPE, VALUES

    os.environ["GATE_MARK"] = "environment-marker-5521"
    sys.addaudithook(_hook)
    hostile = [*REFUSED, *FAILING][:: 4 if short else 1]
    scope = Scope(input=DATA, now="2026-01-01T00:00:00Z")
    wrong = [source for source, value in VALUES if not _is_right(source, value, SCOPE)]
    trial = Trial(scope)
    for source in hostile[:: 1 if short else 8]:
        trial.at_all_places(source)  # Whatever is loaded late is loaded by now.
    trial = Trial(scope)
    for source in hostile:
        trial.at_all_places(source)
    largest = max((memory(each, "VmHWM") for each in _children()), default=0)
    figures = {
        "hostile": len(hostile), "places": len(PLACES), "evaluations": trial.count, "errors": trial.errors,
        "audited": trial.audited, "audit_events": trial.events[:10], "foreign_values": trial.foreign[:10],
        "processor_s_p50": percentile(trial.seconds, 50), "processor_s_max": round(max(trial.seconds), 3), "slow": trial.slow[:5],
        "stopped": trial.stopped, "wall_s_max": round(trial.wall, 3),
        "grown_mib": round(trial.grown / 2**20, 1), "largest_child_mib": round(largest / 2**20, 1),
        "crashes": trial.crashes[:5], "valid": len(VALUES), "valid_and_wrong": wrong[:5],
    }  # fmt: skip
    clean = not (trial.events or trial.foreign or trial.crashes or wrong or trial.slow)
    enough = len(VALUES) >= 150 and len(PLACES) >= 8 and trial.audited > 40 and (short or len(hostile) >= 200)
    return {**figures, "passed": clean and enough and trial.grown <= MOST_BYTES}


class Trial:
    """What came of the expressions."""

    def __init__(self, scope: Any) -> None:
        self.scope = scope
        self.count = self.errors = self.audited = self.stopped = 0
        self.wall = 0.0
        self.grown = 0
        self.seconds: list[float] = []
        self.slow: list[str] = []
        self.events: list[str] = []
        self.foreign: list[str] = []
        self.crashes: list[str] = []

    def at_all_places(self, source: str) -> None:
        for name, place in PLACES.items():
            self._at(name, place, source)

    def _at(self, name: str, place: Place, source: str) -> None:
        watched = not _in_a_child(source, self.scope)
        self.count += 1
        self.audited += watched
        tries = [self._timed(name, place, source, watched)]
        while tries[-1] > MOST_SECONDS and len(tries) < 3:  # With cold caches a machine that is busy computes longer.
            tries.append(self._timed(name, place, source, watched))
        self.seconds.append(min(tries))
        if min(tries) > MOST_SECONDS:
            self.slow.append(f"{name}: {source[:80]}: {min(tries):.3f}")

    def _timed(self, name: str, place: Place, source: str, watched: bool) -> float:
        """Seconds of processor time, here and in a child; memory is noted on the way."""
        Path("/proc/self/clear_refs").write_text("5")  # The highest memory is counted anew.
        memory_before = memory(os.getpid())
        before, begun, own = _ticks(), time.perf_counter(), time.thread_time()
        self._once(name, place, source, watched)
        seconds = time.thread_time() - own
        after = _ticks()
        # A child that was stopped takes its account with it; it had what the guard allows.
        stopped = sum(each not in after for each in before)
        self.stopped += stopped
        self.wall = max(self.wall, time.perf_counter() - begun)
        self.grown = max(self.grown, memory(os.getpid(), "VmHWM") - memory_before)
        return seconds + sum(after[each] - before[each] for each in after if each in before) + stopped * WALL_SECONDS

    def _once(self, name: str, place: Place, source: str, watched: bool) -> None:
        from pydantic import ValidationError

        from engine.expressions import ExpressionError, ExpressionProblem
        from engine.node import Failed
        from engine.testing import FakeStep

        step = FakeStep(input=self.scope.input, now=self.scope.now)
        said: Any = None
        _watching.on = watched
        try:
            said = place(source, step)
        except (ExpressionError, ExpressionProblem) as error:
            said = error.message
            self.errors += 1
        except ValidationError as error:  # It is no setting at all.
            said = str(error)
            self.errors += 1
        except Exception as error:  # Anything else is a crash of ours.
            said = repr(error)
            self.crashes.append(f"{name}: {source[:80]}: {said[:120]}")
        finally:
            _watching.on = False
        self.errors += isinstance(said, Failed)
        self.events += [f"{name}: {source[:60]}: {each}" for each in _seen]
        _seen.clear()
        text = repr(said)
        self.foreign += [f"{name}: {source[:80]}: {each}" for each in SHOWN if each in text and each not in source]


def _node(kind: str, config: Callable[[str], dict[str, Any]]) -> Place:
    def evaluated(source: str, step: Any) -> Any:
        from engine.testing import run_node

        return run_node(kind, config(source), step)

    return evaluated


def _template(config: Callable[[str], Any]) -> Place:
    """Settings in which text holds it; rendered as they are before the node sees them."""

    def rendered(source: str, step: Any) -> Any:
        from engine.expressions import compile_template

        return compile_template(config(f"{{{{ {source} }}}}")).render(step._scope())

    return rendered


PLACES: dict[str, Place] = {
    "decision-logic condition": _node("decision-logic", lambda source: {"condition": source}),
    "decision-logic case": _node("decision-logic", lambda source: {"cases": [{"when": source, "port": "a"}]}),
    "data-transformation expression": _node("data-transformation", lambda source: {"expression": source}),
    "data-transformation set": _template(lambda text: {"set": {"x": text}}),
    "map where": _node("map", lambda source: {"items": [1], "where": source}),
    "map totals": _node("map", lambda source: {"items": [1], "totals": {"n": {"fn": "sum", "of": source}}}),
    "api-integration url": _template(lambda text: {"method": "GET", "url": f"https://example.com/{text}"}),
    "output-formatter template": _template(lambda text: {"format": "text", "template": f"a {text} b"}),
}


def _in_a_child(source: str, scope: Any) -> bool:
    """Whether it loops or is about much, and so is evaluated in a guarded child, which has no rights and no hook of ours."""
    from engine.expressions import IN_PROCESS_BYTES, ExpressionError, ExpressionProblem, compile_expression

    try:
        expression = compile_expression(source)
        if expression._reading.looping or expression._reading.whole is not None:
            return bool(expression._reading.looping)
        return expression._cost(expression._data(scope)[1]) > IN_PROCESS_BYTES
    except (ExpressionError, ExpressionProblem):
        return False


def _is_right(source: str, value: Any, scope: Any) -> bool:
    from engine.expressions import compile_expression, compile_template

    found = compile_expression(source).evaluate(scope)
    rendered = compile_template({"a": f"{{{{ {source} }}}}"}).render(scope)["a"] if "}}" not in source else value
    return found == value == rendered and type(found) is type(value)


def _ticks() -> dict[int, float]:
    """Seconds of processor time that each child has had."""
    found = {}
    for pid in _children():
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        found[pid] = (int(fields[11]) + int(fields[12])) * TICK
    return found


def _children() -> list[int]:
    return [int(each) for task in Path("/proc/self/task").iterdir() for each in (task / "children").read_text().split()]


def _hook(event: str, _arguments: tuple[Any, ...]) -> None:
    if getattr(_watching, "on", False) and event not in QUIET:
        _seen.append(event)


if __name__ == "__main__":
    stand_alone("g19_expressions", measure)
